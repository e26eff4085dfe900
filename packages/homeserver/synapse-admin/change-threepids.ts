import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { deleteThreepid, insertThreepid, listThreepids } from '@causeway/store/tables/threepids.ts'
import type { ThirdPartyAddress } from '../addresses/third-party-address.ts'
import type { Homeserver } from '../homeserver.ts'
import { endMailPushers } from '../push/email/mail-pusher.ts'
import { bindingsOf, unbindAddresses } from '../identity/unbind.ts'

const byText = (addresses: readonly ThirdPartyAddress[]): Map<string, ThirdPartyAddress> =>
  new Map(addresses.map((one) => [`${one.medium} ${one.address}`, one]))

/**
 * Has a user have just these addresses, as confirmed: an administrator vouches for them. Those that go are unbound at
 * identity servers, too. Throws `M_THREEPID_IN_USE` for somebody else's.
 */
export async function changeThreepids(
  hs: Pick<Homeserver, 'db' | 'clock' | 'identity' | 'logger'>,
  userId: UserId,
  addresses: readonly ThirdPartyAddress[],
): Promise<void> {
  const wanted = byText(addresses)
  const had = byText(await listThreepids(hs.db, userId))
  const gone = [...had].flatMap(([text, one]) => (wanted.has(text) ? [] : [one]))
  const added = [...wanted].flatMap(([text, one]) => (had.has(text) ? [] : [one]))
  if (gone.length === 0 && added.length === 0) return
  const now = hs.clock.now()
  const mails = gone.filter(({ medium }) => medium === 'email').map(({ address }) => address)
  const ended = endMailPushers(userId, mails)
  const steps = [
    ...ended.steps,
    ...gone.map(({ medium, address }) => deleteThreepid(userId, medium, address)),
    ...added.map(({ medium, address }) =>
      insertThreepid({ medium, address, user_id: userId, validated_ts: now, added_ts: now }),
    ),
  ]
  if (!(await hs.db.commit({ entries: ended.entries, steps })).ok)
    throw new MatrixError('M_THREEPID_IN_USE', 'One of the addresses belongs to another account')
  const bindings = await Promise.all(gone.map((of) => bindingsOf(hs, userId, { of })))
  await unbindAddresses(hs, bindings.flat())
}
