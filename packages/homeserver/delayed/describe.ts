import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { DelayedEventRow } from '@causeway/store/tables/delayed-events.ts'

/** A delayed event for its sender. https://github.com/matrix-org/matrix-spec-proposals/pull/4140 */
export function describeDelayed(row: DelayedEventRow): JsonObject {
  return {
    delay_id: row.delay_id,
    room_id: row.room_id,
    type: row.type,
    ...(row.state_key === null ? {} : { state_key: row.state_key }),
    delay_ms: row.delay_ms,
    delayed_since_ts: row.since_ts,
    content: JSON.parse(row.content) as JsonObject,
    ...(row.finalised_ts === 0 ? {} : { finalised: describeEnd(row) }),
  }
}

function describeEnd(row: DelayedEventRow): JsonObject {
  return {
    finalised_ts: row.finalised_ts,
    ...(row.event_id === null ? {} : { event_id: row.event_id }),
    ...(row.error === '' ? {} : { error: JSON.parse(row.error) as JsonObject }),
  }
}

/** In a list: with the names that clients know from before the proposal was accepted as well. */
export function describeScheduled(row: DelayedEventRow): JsonObject {
  return { ...describeDelayed(row), delay: row.delay_ms, running_since: row.since_ts }
}
