import type { AnyEndpoint } from '../http/endpoint.ts'
import { claimKeys } from './claim-keys.ts'
import { dehydratedDeviceRoutes } from './dehydrated-device.ts'
import { keyBackupKeyRoutes } from './key-backup-keys.ts'
import { keyBackupVersionRoutes } from './key-backup-versions.ts'
import { keyChanges } from './key-changes.ts'
import { queryKeys } from './query-keys.ts'
import { sendToDevice } from './send-to-device.ts'
import { uploadCrossSigningKeys } from './upload-cross-signing-keys.ts'
import { uploadKeySignatures } from './upload-key-signatures.ts'
import { uploadKeys } from './upload-keys.ts'

/** Keys, messages between devices, and key backup. */
export const deviceKeyRoutes: readonly AnyEndpoint[] = [
  uploadKeys,
  queryKeys,
  claimKeys,
  keyChanges,
  uploadCrossSigningKeys,
  uploadKeySignatures,
  sendToDevice,
  ...dehydratedDeviceRoutes,
  ...keyBackupVersionRoutes,
  ...keyBackupKeyRoutes,
]
