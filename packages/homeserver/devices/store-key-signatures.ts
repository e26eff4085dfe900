import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'
import type { DeviceListEntry } from '@causeway/store/log/entry.ts'
import { setKeySignature, type KeySignatureRow } from '@causeway/store/tables/cross-signing.ts'
import { listDeviceIds } from '@causeway/store/tables/device-keys.ts'
import type { Homeserver } from '../homeserver.ts'
import { deviceListChange, type ChangedDevices } from './device-list-entry.ts'

/**
 * Stores signatures that were checked. One on an own key is everybody's business who shares a room; one on
 * another's is seen by the signer alone, whose own devices learn of it.
 */
export async function storeKeySignatures(
  hs: Pick<Homeserver, 'log' | 'db'>,
  signer: UserId,
  signatures: readonly KeySignatureRow[],
): Promise<void> {
  const entries: DeviceListEntry[] = []
  const steps: Step[] = []
  for (const [userId, ofUser] of Map.groupBy(signatures, (row) => row.user_id)) {
    const position = { position: entries.length }
    if (userId === signer) {
      const change = deviceListChange(signer, await signedOf(hs, signer, ofUser), entries.length)
      entries.push(...change.entries)
      steps.push(...change.steps)
    } else {
      entries.push({ kind: 'device_list', position: 0, userId: signer, signedUserId: userId as UserId })
    }
    steps.push(...ofUser.map((row) => setKeySignature(row, position)))
  }
  if (entries.length === 0) return
  const result = await hs.log.append({ entries, steps })
  if (!result.ok) throw new Error('a write of signatures was refused')
}

/** Which of the user's own keys were signed: a target is a device, or else a cross-signing key. */
async function signedOf(
  { db }: Pick<Homeserver, 'db'>,
  userId: UserId,
  signatures: readonly KeySignatureRow[],
): Promise<ChangedDevices> {
  const devices = new Set((await listDeviceIds(db, [userId])).map((row) => row.device_id))
  const targets = [...new Set(signatures.map((row) => row.target))]
  return {
    changed: targets.filter((target) => devices.has(target)),
    crossSigning: targets.some((target) => !devices.has(target)),
  }
}
