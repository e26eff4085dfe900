import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Doc, Inline } from '../../formatting/tree.ts'
import { docFromText } from '../../formatting/tree.ts'
import { fromMatrixMessage } from '../../formatting/from-matrix-html.ts'
import type { HubContext } from '../hub-context.ts'

const FILE_TYPES: ReadonlyMap<string, string> = new Map([
  ['m.image', 'a picture'],
  ['m.video', 'a video'],
  ['m.audio', 'a recording'],
  ['m.file', 'a file'],
])

function formatSize(info: unknown): string | undefined {
  const size = (info as { size?: unknown } | undefined)?.size
  if (typeof size !== 'number' || !(size > 0)) return undefined
  if (size < 1000) return `${size} B`
  return size < 1_000_000 ? `${Math.round(size / 1000)} kB` : `${(size / 1_000_000).toFixed(1)} MB`
}

/** What kind of file a message is; undefined for one that is none. */
export function fileKindOf(content: JsonObject, eventType: string): string | undefined {
  if (eventType === 'm.sticker') return 'a sticker'
  return typeof content['msgtype'] === 'string' ? FILE_TYPES.get(content['msgtype']) : undefined
}

/**
 * A file as text: its name, size and a link that works without an account and ends some day; a caption behind it.
 * https://spec.matrix.org/v1.19/client-server-api/#media-captions
 */
export async function fileAsText(
  { port, settings }: Pick<HubContext, 'port' | 'settings'>,
  content: JsonObject,
  kind: string,
): Promise<Doc> {
  const { body, filename, url, info } = content
  const name = [filename, body].find((one) => typeof one === 'string' && one !== '')
  const size = formatSize(info)
  const label = [typeof name === 'string' ? name : kind, ...(size === undefined ? [] : [`(${size})`])].join(
    ' ',
  )
  const link = typeof url === 'string' ? await port.publicMediaUrl(url, settings.mediaLinkMs) : undefined
  const children: Inline[] = [{ type: 'text', text: `${label}${link === undefined ? '' : ': '}` }]
  if (link !== undefined) children.push({ type: 'link', url: link, children: [{ type: 'text', text: link }] })
  else children.push({ type: 'text', text: ` (${kind} that only people on Matrix can open)` })
  const hasCaption = typeof filename === 'string' && typeof body === 'string' && body !== filename
  const caption = hasCaption ? fromMatrixMessage(content) : docFromText('')
  return { blocks: [{ type: 'paragraph', children }, ...(hasCaption ? caption.blocks : [])] }
}
