import { findDeviceListChanges, type DeviceListChanges } from '../../devices/device-list-changes.ts'
import type { SyncContext } from '../context.ts'

/**
 * Whose devices the client has to ask for anew, and whom it need not follow any more. A first sync says nothing:
 * the client knows nobody's devices then. https://spec.matrix.org/v1.19/client-server-api/#e2e-extensions-to-sync
 */
export async function readDeviceLists(ctx: SyncContext): Promise<DeviceListChanges | undefined> {
  const { hs, session, since, now, rooms, entries } = ctx
  if (since === undefined) return undefined
  return findDeviceListChanges(hs, {
    userId: session.userId,
    rooms,
    entries,
    after: since.position,
    upTo: now.position,
  })
}
