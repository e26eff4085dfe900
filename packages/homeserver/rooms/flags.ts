import type { Pdu } from '@causeway/matrix/events/pdu.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { POLL_END, POLL_START } from '@causeway/matrix/push-rules/predefined.ts'
import { stickyDurationOf } from '@causeway/matrix/events/sticky.ts'
import { relationOf } from './relation.ts'

/** Types whose default push rule notifies. https://spec.matrix.org/v1.19/client-server-api/#predefined-rules */
const NOTIFYING_TYPES: ReadonlySet<string> = new Set([
  ...['m.room.message', 'm.room.encrypted', 'm.call.invite'],
  ...[POLL_START, POLL_END],
])

/** Whether an event counts as unread under the default push rules, for those who did not send it. */
export function notifiesByDefault(pdu: Pick<Pdu, 'type' | 'content' | 'state_key'>): boolean {
  if (pdu.state_key !== undefined || !NOTIFYING_TYPES.has(pdu.type)) return false
  return pdu.content['msgtype'] !== 'm.notice' && relationOf(pdu.content)?.relType !== 'm.replace'
}

/** The flags an event starts its life with. */
export function timelineFlags(pdu: Pdu): number {
  const sticky = stickyDurationOf(pdu) === undefined ? 0 : EventFlag.sticky
  return sticky | (notifiesByDefault(pdu) ? EventFlag.notifies : 0)
}
