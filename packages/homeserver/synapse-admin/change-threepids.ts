import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { invalidParam, MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { deleteThreepid, insertThreepid, listThreepids } from '@causeway/store/tables/threepids.ts'
import { readEmailAddress } from '../email/address.ts'
import type { Homeserver } from '../homeserver.ts'
import { endMailPushers } from '../push/email/mail-pusher.ts'
import { bindingsOf, unbindAddresses } from '../identity/unbind.ts'

/** An address as the request names it. */
export interface WantedThreepid {
  readonly medium: string
  readonly address: string
}

/** The address as it is kept. Throws `M_THREEPID_MEDIUM_NOT_SUPPORTED`, and `M_INVALID_PARAM` for what is none. */
export function readThreepid({ medium, address: text }: WantedThreepid): string {
  if (medium !== 'email')
    throw new MatrixError('M_THREEPID_MEDIUM_NOT_SUPPORTED', 'Accounts here have e-mail addresses only')
  const address = readEmailAddress(text)
  if (address === undefined) throw invalidParam(`"${text}" is no e-mail address`)
  return address
}

/**
 * Has a user have just these addresses, as confirmed: an administrator vouches for them. Those that go are unbound at
 * identity servers, too. Throws `M_THREEPID_IN_USE` for somebody else's.
 */
export async function changeThreepids(
  hs: Pick<Homeserver, 'db' | 'clock' | 'identity' | 'logger'>,
  userId: UserId,
  addresses: readonly string[],
): Promise<void> {
  const wanted = new Set(addresses)
  const had = new Set((await listThreepids(hs.db, userId)).map(({ address }) => address))
  const [gone, added] = [had.difference(wanted), wanted.difference(had)]
  if (gone.size === 0 && added.size === 0) return
  const now = hs.clock.now()
  const ended = endMailPushers(userId, [...gone])
  const steps = [
    ...ended.steps,
    ...[...gone].map((address) => deleteThreepid(userId, 'email', address)),
    ...[...added].map((address) =>
      insertThreepid({ address, user_id: userId, validated_ts: now, added_ts: now }),
    ),
  ]
  if (!(await hs.db.commit({ entries: ended.entries, steps })).ok)
    throw new MatrixError('M_THREEPID_IN_USE', 'One of the addresses belongs to another account')
  const bindings = await Promise.all(
    [...gone].map((address) => bindingsOf(hs, userId, { of: { medium: 'email', address } })),
  )
  await unbindAddresses(hs, bindings.flat())
}
