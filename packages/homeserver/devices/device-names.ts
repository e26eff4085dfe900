import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { forbidden, MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { listCrossSigningKeys, requireNoKeyNamed } from '@causeway/store/tables/cross-signing.ts'
import { insertDevice, type DeviceRecord } from '@causeway/store/tables/devices.ts'
import type { Homeserver } from '../homeserver.ts'

/**
 * For a write that was refused: throws `M_FORBIDDEN` when the device was to have the name of a cross-signing key of its
 * owner (`requireNoKeyNamed`). Signatures name devices and such keys alike: nobody could tell which of them had signed.
 * https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login
 */
export async function explainDeviceName(
  { db }: Pick<Homeserver, 'db'>,
  userId: UserId,
  deviceId: string,
): Promise<void> {
  const keys = await listCrossSigningKeys(db, [userId])
  if (keys.some((key) => key.public_key === deviceId))
    throw forbidden(
      'A device must not have the name of a cross-signing key; leave its id out, and it gets one',
    )
}

/** Makes a device that nobody is logged in on. Throws `M_FORBIDDEN` for a name that it must not have. */
export async function makeDevice({ db }: Pick<Homeserver, 'db'>, device: DeviceRecord): Promise<void> {
  const { userId, deviceId } = device
  const steps = [requireNoKeyNamed(userId, deviceId), insertDevice(device)]
  const result = await db.commit({ entries: [], steps })
  if (result.ok) return
  await explainDeviceName({ db }, userId as UserId, deviceId)
  throw new MatrixError('M_UNKNOWN', 'The cross-signing keys were changed at the same time; try again')
}
