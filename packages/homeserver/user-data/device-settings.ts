// https://github.com/matrix-org/matrix-spec-proposals/pull/3890
import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Write } from '@causeway/store/db/database.ts'
import { GLOBAL, listPresentTypes, REMOVED, setAccountData } from '@causeway/store/tables/account-data.ts'
import type { Homeserver } from '../homeserver.ts'

/** Account data that clients keep for one device, whose id follows: whether it shows notifications of its own. */
const PREFIXES = ['m.local_notification_settings.', 'org.matrix.msc3890.local_notification_settings.']

/**
 * What is written to remove what there is of devices in their user's account data, and to tell the user's others.
 * @param firstEntry place that its entries take in the write
 */
export async function deviceSettingsRemoval(
  { db, clock }: Pick<Homeserver, 'db' | 'clock'>,
  userId: UserId,
  deviceIds: readonly DeviceId[],
  firstEntry: number,
): Promise<Write> {
  const named = deviceIds.flatMap((deviceId) => PREFIXES.map((prefix) => prefix + deviceId))
  const types = await listPresentTypes(db, userId, named)
  const now = clock.now()
  return {
    entries: types.map((type) => ({
      kind: 'account_data',
      position: 0,
      userId,
      roomId: undefined,
      type,
      content: {},
    })),
    steps: types.map((type, index) =>
      setAccountData({ userId, roomNid: GLOBAL, type }, { content: REMOVED, entry: firstEntry + index, now }),
    ),
  }
}
