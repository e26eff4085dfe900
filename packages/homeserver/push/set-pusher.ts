import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { PushersEntry } from '@causeway/store/log/entry.ts'
import {
  deleteOtherPushers,
  deletePusher,
  insertPusher,
  listOtherPushers,
  listPushersOfUser,
  updatePusher,
  type PusherSetting,
} from '@causeway/store/tables/pushers.ts'
import type { Homeserver } from '../homeserver.ts'

/** Pushers of one user: a person has few devices, and a list that grows forever is a mistake of a client. */
export const MAX_PUSHERS = 50
/** How often a change is tried again when another one of the same user came first. */
const ATTEMPTS = 5
/** Users at the same place who are told at once that their pushers went; those beyond learn when it is used. */
const MAX_OTHERS = 200

type Deps = Pick<Homeserver, 'db' | 'log' | 'random'>

const changed = (userId: string): PushersEntry => ({ kind: 'pushers', position: 0, userId: userId as UserId })

/**
 * Sets a pusher, as one durable change. Unless `append`, pushers of other users with the same app and key go: the
 * device is somebody else's now. Throws `M_RESOURCE_LIMIT_EXCEEDED` for one too many.
 */
export async function setPusher(hs: Deps, setting: PusherSetting, append: boolean): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const own = await listPushersOfUser(hs.db, setting.user_id)
    const before = own.find(
      ({ app_id: appId, pushkey }) => appId === setting.app_id && pushkey === setting.pushkey,
    )
    if (before === undefined && own.length >= MAX_PUSHERS) {
      throw new MatrixError(
        'M_RESOURCE_LIMIT_EXCEEDED',
        `You have ${MAX_PUSHERS} pushers, which is the most there may be; delete one that is not used any more`,
      )
    }
    // What waits for a phone is nothing for a mail, nor the other way round.
    const isSame = before?.kind === setting.kind
    const others = append ? [] : await listOtherPushers(hs.db, setting, MAX_OTHERS)
    const users = [...new Set(others.map(({ user_id: userId }) => userId))]
    const result = await hs.log.append({
      entries: [setting.user_id, ...users].map(changed),
      steps: [
        ...(append ? [] : deleteOtherPushers(setting)),
        ...(before === undefined || isSame
          ? []
          : deletePusher(setting.user_id, before.app_id, before.pushkey)),
        ...(before === undefined || !isSame
          ? insertPusher(newNid(hs), setting, 0, MAX_PUSHERS)
          : [updatePusher(before, setting, 0)]),
      ],
    })
    if (result.ok) return
  }
  throw new MatrixError('M_UNKNOWN', 'Your pushers are being changed by other requests; try again')
}

/** Deletes a pusher; there need not be one. */
export async function removePusher(
  hs: Pick<Deps, 'log'>,
  userId: UserId,
  { appId, pushkey }: { readonly appId: string; readonly pushkey: string },
): Promise<void> {
  await hs.log.append({ entries: [changed(userId)], steps: deletePusher(userId, appId, pushkey) })
}

/** A number for a pusher's row: random, so that what is shared out by it is shared out evenly. */
export function newNid({ random }: Pick<Deps, 'random'>): number {
  return Buffer.from(random.bytes(6)).readUIntBE(0, 6)
}
