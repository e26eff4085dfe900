import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { tokenize } from '@causeway/matrix/search/tokenize.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { NAME_TOKEN, TOPIC_TOKEN, type SearchDocument } from '@causeway/store/tables/search.ts'

/** Where a text stands in its event. https://spec.matrix.org/v1.19/client-server-api/#search-categories */
export const SEARCH_KEYS = ['content.body', 'content.name', 'content.topic'] as const
export type SearchKey = (typeof SEARCH_KEYS)[number]

/** What of an event decides whether and by what it is found. */
export interface SearchableEvent {
  readonly type: string
  readonly stateKey: string | undefined
  readonly content: JsonObject
}

export interface SearchableText {
  readonly key: SearchKey
  readonly text: string
}

/** The text that an event is found by: what was said, or a room's name or topic; undefined when there is none. */
export function searchableText({ type, stateKey, content }: SearchableEvent): SearchableText | undefined {
  if (stateKey === undefined) {
    return type === 'm.room.encrypted' ? undefined : textAt('content.body', content['body'])
  }
  if (type === 'm.room.name') return textAt('content.name', content['name'])
  return type === 'm.room.topic' ? textAt('content.topic', content['topic']) : undefined
}

function textAt(key: SearchKey, text: unknown): SearchableText | undefined {
  return typeof text === 'string' && text !== '' ? { key, text } : undefined
}

const MARKS: Record<SearchKey, readonly string[]> = {
  'content.body': [],
  'content.name': [NAME_TOKEN],
  'content.topic': [TOPIC_TOKEN],
}

/**
 * What the index has of an event: refused ones too, which a look into the events leaves out, since they may be judged
 * anew. Not those held without a place in the graph, which get another number when they get one.
 */
export function documentOf(
  event: SearchableEvent & { readonly nid: number; readonly roomNid: number; readonly flags: number },
): SearchDocument | undefined {
  if ((event.flags & (EventFlag.outlier | EventFlag.redacted)) !== 0) return undefined
  const found = searchableText(event)
  const tokens = found === undefined ? [] : tokenize(found.text)
  if (found === undefined || tokens.length === 0) return undefined
  return { nid: event.nid, roomNid: event.roomNid, tokens: [...tokens, ...MARKS[found.key]] }
}
