import type { UserRoom } from '../../../rooms/membership-index.ts'
import type { SlidingContext } from '../context.ts'
import { roomsJson, type ExtensionResult } from './extension.ts'
import type { AnsweredRooms } from './scope.ts'

/**
 * Who types, in rooms where that changed since the last answer; in rooms that are new to the client, or were out of its
 * sight, where somebody does. Never a query. https://github.com/matrix-org/matrix-spec-proposals/pull/3961
 */
export function readTyping(
  { hs, since, turn }: SlidingContext,
  { results }: AnsweredRooms,
  rooms: readonly UserRoom[],
): ExtensionResult {
  const told = new Map<string, string>()
  for (const { roomId, roomNid } of rooms) {
    const typing = hs.typing.of(roomId)
    if (typing === undefined) continue
    const sent = turn.base.rooms.get(roomNid)
    const isLive = since !== undefined && sent !== undefined && results.get(roomId)?.isInitial !== true
    const hasChanged = typing.changedAt > (since?.volatile ?? 0)
    const isSeen = isLive && sent.until === undefined
    if (!(isLive && hasChanged) && (isSeen || typing.userIds.length === 0)) continue
    told.set(roomId, `{"type":"m.typing","content":{"user_ids":${JSON.stringify(typing.userIds)}}}`)
  }
  return { text: `{"rooms":${roomsJson(told)}}`, isNews: told.size > 0 }
}
