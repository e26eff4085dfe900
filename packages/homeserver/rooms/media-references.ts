import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { Mxc, ServerName } from '@causeway/matrix/ids/ids.ts'
import { parseMxc } from '@causeway/matrix/ids/mxc.ts'
import type { Step, WriteValue } from '@causeway/store/db/database.ts'
import { insertMediaReference } from '@causeway/store/tables/media-references.ts'

const MEDIA_ID = /^[A-Za-z0-9_-]+/
/** More than any event shows; each costs a statement, and strangers write events. What is beyond it does not count. */
const MAX_NAMED = 100

/** Every text in an event's content, keys aside. */
function* textsOf(content: JsonObject): Generator<string> {
  const left: (JsonValue | undefined)[] = [content]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value === 'string') yield value
    else if (Array.isArray(value)) for (const item of value) left.push(item)
    else if (value !== null && typeof value === 'object')
      for (const item of Object.values(value)) left.push(item)
  }
}

/**
 * Ids of our media that an event's content names, anywhere in it: avatars, files and their thumbnails, pictures in
 * formatted text. What is encrypted names nothing that can be seen.
 */
export function findOwnMediaIds(serverName: ServerName, content: JsonObject): Set<string> {
  const prefix = `mxc://${serverName}/`
  const ids = new Set<string>()
  for (const text of textsOf(content)) {
    for (let at = text.indexOf(prefix); at >= 0; at = text.indexOf(prefix, at + 1)) {
      const id = MEDIA_ID.exec(text.slice(at + prefix.length, at + prefix.length + 256))?.[0]
      if (id !== undefined) ids.add(id)
      if (ids.size === MAX_NAMED) return ids
    }
  }
  return ids
}

const MXC = /mxc:\/\/([^/\s"'<>]{1,230})\/([A-Za-z0-9_-]{1,255})/g

/** The same for media of every server: their addresses. */
export function findMxcs(content: JsonObject): Set<Mxc> {
  const found = new Set<Mxc>()
  for (const text of textsOf(content)) {
    for (const [mxc] of text.matchAll(MXC)) {
      const parsed = parseMxc(mxc)
      if (parsed !== undefined) found.add(parsed)
      if (found.size === MAX_NAMED) return found
    }
  }
  return found
}

/** What is written with an event of the media it refers to. @param nid its number, known only at commit */
export function mediaReferenceSteps(serverName: ServerName, content: JsonObject, nid: WriteValue): Step[] {
  return [...findOwnMediaIds(serverName, content)].map((id) => insertMediaReference(id, nid))
}
