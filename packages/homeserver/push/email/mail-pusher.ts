import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Write } from '@causeway/store/db/database.ts'
import {
  deletePushersOfAddress,
  EMAIL,
  insertPusher,
  MAIL_SERVER,
  type PusherSetting,
} from '@causeway/store/tables/pushers.ts'
import type { Homeserver } from '../../homeserver.ts'
import { MAX_PUSHERS, newNid } from '../set-pusher.ts'

/** https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3pushersset */
export const MAIL_APP = 'm.email'

/** What is written with a new account whose address is told of missed messages. Its entry must be the write's first. */
export function firstMailPusher(
  { clock, random }: Pick<Homeserver, 'clock' | 'random'>,
  userId: UserId,
  address: string,
): Write {
  const setting: PusherSetting = {
    user_id: userId,
    app_id: MAIL_APP,
    pushkey: address,
    device_id: '',
    kind: EMAIL,
    app_display_name: 'Email Notifications',
    device_display_name: address.slice(0, 255),
    profile_tag: '',
    lang: 'en',
    data: '{}',
    gateway: MAIL_SERVER,
    set_ts: clock.now(),
  }
  return {
    entries: [{ kind: 'pushers', position: 0, userId }],
    steps: insertPusher(newNid({ random }), setting, 0, MAX_PUSHERS),
  }
}

/** What is written when addresses go from an account: nothing is sent there any more. */
export function endMailPushers(userId: UserId, addresses: readonly string[]): Write {
  if (addresses.length === 0) return { entries: [], steps: [] }
  return {
    entries: [{ kind: 'pushers', position: 0, userId }],
    steps: addresses.flatMap((address) => deletePushersOfAddress(userId, address)),
  }
}
