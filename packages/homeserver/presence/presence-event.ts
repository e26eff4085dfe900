import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { ACTIVE_MS, type UserPresence } from './presence.ts'

/** What clients get of a user's presence. Nothing known is offline. @param now by the wall clock */
export function presenceContent(presence: UserPresence | undefined, now: number): JsonObject {
  if (presence === undefined) return { presence: 'offline' }
  const { state, statusMsg, lastActive } = presence
  const content: JsonObject = { presence: state }
  if (lastActive !== undefined) content['last_active_ago'] = Math.max(0, now - lastActive)
  if (statusMsg !== undefined) content['status_msg'] = statusMsg
  if (state !== 'offline')
    content['currently_active'] =
      presence.currentlyActive ??
      (state === 'online' && lastActive !== undefined && now - lastActive < ACTIVE_MS)
  return content
}

/** https://spec.matrix.org/v1.19/client-server-api/#mpresence */
export function presenceEvent(userId: UserId, presence: UserPresence | undefined, now: number): string {
  return `{"type":"m.presence","sender":${JSON.stringify(userId)},"content":${JSON.stringify(presenceContent(presence, now))}}`
}
