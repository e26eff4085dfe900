// https://spec.matrix.org/v1.19/client-server-api/#send-to-device-messaging
import { deleteToDevice, listToDevice } from '@causeway/store/tables/to-device.ts'
import type { DeviceId } from '@causeway/matrix/ids/ids.ts'
import type { SyncContext } from '../context.ts'

/** Most messages that one sync hands out; the others come with the next ones. */
const MAX_MESSAGES = 100

/**
 * What other devices sent to this one, as JSON texts in the order of arrival, at most 100. Tells the next token
 * how far it got (`ctx.now.toDevice`), and removes what the token given back acknowledges: its being given back
 * is the proof that the answer arrived. No query and no write when there is nothing of either.
 */
export async function readToDevice(ctx: SyncContext): Promise<string[]> {
  const { hs, session, since, now } = ctx
  const { userId, deviceId } = session
  if (deviceId === undefined) return []
  if (since?.toDevice !== undefined) {
    await hs.db.commit({ entries: [], steps: [deleteToDevice(userId, deviceId, since.toDevice)] })
  }
  if (!mayHaveMessages(ctx, deviceId)) return []
  const found = await listToDevice(hs.db, userId, deviceId, {
    after: since === undefined ? 0 : (since.toDevice ?? since.position),
    upTo: now.position,
    limit: MAX_MESSAGES + 1,
  })
  const messages = found.slice(0, MAX_MESSAGES)
  const last = messages.at(-1)
  if (last !== undefined) now.toDevice = found.length > messages.length ? last.position : now.position
  return messages.map((message) => message.json)
}

function mayHaveMessages({ hs, session, since, entries }: SyncContext, deviceId: DeviceId): boolean {
  if (since === undefined) return true
  // The answer before was full: more may have been waiting behind it.
  if (since.toDevice !== undefined && since.toDevice < since.position) return true
  if (entries === undefined) return hs.log.changes.to_device.mayHaveChanged(session.userId, since.position)
  return entries.some((entry) => entry.kind === 'to_device' && entry.deviceId === deviceId)
}
