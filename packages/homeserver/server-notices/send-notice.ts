import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, UserId } from '@causeway/matrix/ids/ids.ts'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { findUser } from '@causeway/store/tables/users.ts'
import type { Homeserver } from '../homeserver.ts'
import { sendEvent, type SendInput } from '../rooms/send.ts'
import { ensureNoticesRoom } from './notices-room.ts'
import { ensureNoticesUser } from './notices-user.ts'

export interface Notice {
  readonly target: UserId
  /** Of the event; default `m.room.message`. */
  readonly type?: string | undefined
  readonly stateKey?: string | undefined
  readonly content: JsonObject
  readonly companions?: SendInput['companions']
}

/**
 * Tells a user of this server something, in a room that they are invited to. Throws `M_NOT_FOUND` for an account that
 * is not in use, `M_INVALID_PARAM` for a user of another server, `M_FORBIDDEN` when notices can't be sent at all.
 */
export async function sendNotice(hs: Homeserver, notice: Notice): Promise<EventId> {
  const { target, type = 'm.room.message', stateKey, content, companions } = notice
  const { userId: sender, queue } = hs.serverNotices
  if (serverNameOf(target) !== hs.serverName)
    throw invalidParam(`${target} has no account here, but on ${serverNameOf(target)}`)
  if (target === sender) throw invalidParam('Notices come from this account')
  const user = await findUser(hs.db, target)
  if (user === undefined || user.deactivatedTs !== 0) throw notFound(`There is no account ${target} in use`)
  return queue.serial(target, async () => {
    await ensureNoticesUser(hs)
    const roomId = await ensureNoticesRoom(hs, target)
    return sendEvent(hs.rooms, {
      roomId,
      sender,
      type,
      content,
      ...(stateKey === undefined ? {} : { stateKey }),
      ...(companions === undefined ? {} : { companions }),
    })
  })
}
