export type ThumbnailMethod = 'crop' | 'scale'

/** What somebody asks for. */
export interface ThumbnailWish {
  readonly width: number
  readonly height: number
  readonly method: ThumbnailMethod
  readonly animated: boolean
}

/** What is made: one of a fixed list, so that nobody can fill the disk with sizes. */
export interface ThumbnailSpec {
  /** Undefined: as large as the original. */
  readonly size: { readonly width: number; readonly height: number } | undefined
  readonly method: ThumbnailMethod
  readonly animated: boolean
  /** Names it in the table. */
  readonly variant: string
}

/** The specification's, and larger ones. https://spec.matrix.org/v1.19/client-server-api/#thumbnails */
const SCALE_SIZES = [
  { width: 320, height: 240 },
  { width: 640, height: 480 },
  { width: 800, height: 600 },
  { width: 1600, height: 1200 },
]
/** Squares for avatars, and 4:3 for pictures. */
const CROP_SIZES = [
  { width: 32, height: 32 },
  { width: 96, height: 96 },
  { width: 256, height: 256 },
  { width: 320, height: 240 },
  { width: 640, height: 480 },
  { width: 640, height: 640 },
  { width: 800, height: 600 },
]

/** The smallest that is at least as large as what is wished for; beyond all of them, the original's size. */
export function chooseThumbnail({ width, height, method, animated }: ThumbnailWish): ThumbnailSpec {
  const sizes = method === 'crop' ? CROP_SIZES : SCALE_SIZES
  const size = sizes.find((one) => one.width >= width && one.height >= height)
  const moves = animated ? '-animated' : ''
  if (size === undefined) return { size, method: 'scale', animated, variant: `full${moves}` }
  return { size, method, animated, variant: `${method}-${size.width}x${size.height}${moves}` }
}
