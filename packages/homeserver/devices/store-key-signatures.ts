import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'
import type { DeviceListEntry } from '@causeway/store/log/entry.ts'
import { setDeviceListPosition } from '@causeway/store/tables/device-lists.ts'
import { setKeySignature, type KeySignatureRow } from '@causeway/store/tables/cross-signing.ts'
import type { Homeserver } from '../homeserver.ts'

/**
 * Stores signatures that were checked. One on an own key is everybody's business who shares a room; one on
 * another's is seen by the signer alone, whose own devices learn of it.
 */
export async function storeKeySignatures(
  hs: Pick<Homeserver, 'log'>,
  signer: UserId,
  signatures: readonly KeySignatureRow[],
): Promise<void> {
  const entries: DeviceListEntry[] = []
  const steps: Step[] = []
  for (const [userId, ofUser] of Map.groupBy(signatures, (row) => row.user_id)) {
    const position = { position: entries.length }
    if (userId === signer) {
      entries.push({ kind: 'device_list', position: 0, userId: signer })
      steps.push(setDeviceListPosition(signer, position))
    } else {
      entries.push({ kind: 'device_list', position: 0, userId: signer, signedUserId: userId as UserId })
    }
    steps.push(...ofUser.map((row) => setKeySignature(row, position)))
  }
  if (entries.length === 0) return
  const result = await hs.log.append({ entries, steps })
  if (!result.ok) throw new Error('a write of signatures was refused')
}
