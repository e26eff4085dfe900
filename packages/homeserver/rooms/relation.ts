import type { JsonObject } from '@causeway/matrix/events/pdu.ts'

/** What an event says it relates to. https://spec.matrix.org/v1.19/client-server-api/#forming-relationships-between-events */
export interface Relation {
  readonly relType: string
  readonly parentEventId: string
  /** The reaction of an annotation, else empty. */
  readonly key: string
}

/** The relation in an event's content; undefined when there is none that is well formed. */
export function relationOf(content: JsonObject): Relation | undefined {
  const relates = content['m.relates_to']
  if (typeof relates !== 'object' || relates === null || Array.isArray(relates)) return undefined
  const { rel_type: relType, event_id: parentEventId, key } = relates
  if (typeof relType !== 'string' || typeof parentEventId !== 'string') return undefined
  if (relType === '' || parentEventId === '') return undefined
  return { relType, parentEventId, key: relType === 'm.annotation' && typeof key === 'string' ? key : '' }
}

/** The thread an event belongs to, by its root's id; undefined for the main timeline. */
export function threadOf(content: JsonObject): string | undefined {
  const relation = relationOf(content)
  return relation?.relType === 'm.thread' ? relation.parentEventId : undefined
}
