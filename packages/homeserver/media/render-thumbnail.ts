import type sharpModule from 'sharp'
import type { Sharp } from 'sharp'
import { MatrixError, tooLarge } from '@causeway/matrix/errors/matrix-error.ts'
import type { ThumbnailSpec } from './thumbnail-sizes.ts'

/** A finished thumbnail. */
export interface Rendered {
  readonly bytes: Uint8Array
  readonly contentType: string
}

export interface RenderLimits {
  /** Width × height × frames that are decoded at most. */
  readonly maxPixels: number
}

type SharpModule = typeof sharpModule

/** Seconds of decoding after which an image is given up. */
const TIMEOUT_S = 30
/** Animations with more frames become still pictures: each is decoded and encoded, however small it is. */
const MAX_FRAMES = 1_000
/** Loaders of the formats that people send as pictures; everything else (SVG, PDF, TIFF, …) is not touched. */
const LOADERS = [
  'VipsForeignLoadJpeg',
  'VipsForeignLoadPng',
  'VipsForeignLoadWebp',
  'VipsForeignLoadNsgif',
  'VipsForeignLoadHeif',
]

let loaded: Promise<SharpModule> | undefined

/** Loaded with the first thumbnail: a server that makes none does without its memory. */
function loadSharp(): Promise<SharpModule> {
  loaded ??= import('sharp').then(({ default: sharp }) => {
    sharp.cache(false)
    sharp.concurrency(1)
    sharp.block({ operation: ['VipsForeignLoad'] })
    sharp.unblock({ operation: LOADERS })
    return sharp
  })
  return loaded
}

/** Whether the first bytes of a file are those of a picture that thumbnails are made of. */
export function looksLikeImage(head: Uint8Array): boolean {
  const text = Buffer.from(head).toString('latin1')
  return (
    text.startsWith('\xff\xd8\xff') ||
    text.startsWith('\x89PNG\r\n\x1a\n') ||
    text.startsWith('GIF8') ||
    (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') ||
    /^(avif|avis|mif1)/.test(text.slice(4, 8) === 'ftyp' ? text.slice(8) : '')
  )
}

/** What is told of a picture, as people see it: turned upright. */
export interface ImageFacts {
  readonly width: number
  readonly height: number
  readonly contentType: string
}

const TYPES: Readonly<Record<string, string>> = {
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  gif: 'image/gif',
  heif: 'image/avif',
}

/** Reads the header of a picture (see `looksLikeImage`); undefined for what is none, or none that browsers show. */
export async function readImageFacts(bytes: Uint8Array): Promise<ImageFacts | undefined> {
  const sharp = await loadSharp()
  try {
    const { format, compression, autoOrient } = await sharp(bytes, { limitInputPixels: false }).metadata()
    const contentType = format === 'heif' && compression !== 'av1' ? undefined : TYPES[format]
    return contentType === undefined
      ? undefined
      : { width: autoOrient.width, height: autoOrient.height, contentType }
  } catch {
    return undefined
  }
}

function cannot(cause?: unknown): MatrixError {
  return new MatrixError('M_UNKNOWN', 'No thumbnail can be made of this content', { status: 400, cause })
}

/**
 * Makes a thumbnail: turned upright, without metadata, never larger than the original. Decoding runs on threads
 * of its own, not on the calling one. Throws `M_TOO_LARGE` for too many pixels, `M_UNKNOWN` (400) for what is no
 * (sound) picture.
 */
export async function renderThumbnail(
  bytes: Uint8Array,
  spec: ThumbnailSpec,
  { maxPixels }: RenderLimits,
): Promise<Rendered> {
  const sharp = await loadSharp()
  const options = { limitInputPixels: maxPixels, failOn: 'error' as const }
  try {
    const {
      width,
      height,
      pages = 1,
      hasAlpha,
      format,
    } = await sharp(bytes, { limitInputPixels: false }).metadata()
    // For an animation the size of one frame; of others, of the picture.
    if (width * height > maxPixels)
      throw tooLarge(`Pictures of more than ${maxPixels} pixels get no thumbnail`)
    const canMove = format === 'gif' || format === 'webp'
    const isShort = pages <= MAX_FRAMES && width * height * pages <= maxPixels
    const moves = spec.animated && canMove && pages > 1 && isShort
    const image = resize(sharp(bytes, { ...options, animated: moves }), spec).timeout({ seconds: TIMEOUT_S })
    if (moves) return { bytes: await image.webp({ effort: 2 }).toBuffer(), contentType: 'image/webp' }
    // Drawings stay sharp, and what was made as PNG mostly is one.
    if (hasAlpha || format === 'png') return { bytes: await image.png().toBuffer(), contentType: 'image/png' }
    return { bytes: await image.jpeg({ quality: 82 }).toBuffer(), contentType: 'image/jpeg' }
  } catch (error) {
    if (error instanceof MatrixError) throw error
    throw cannot(error)
  }
}

function resize(image: Sharp, { size, method }: ThumbnailSpec): Sharp {
  const upright = image.autoOrient()
  if (size === undefined) return upright
  const fit = method === 'crop' ? 'cover' : 'inside'
  return upright.resize({ ...size, fit, withoutEnlargement: true })
}
