import { accountTables } from './account-tables.ts'
import { appserviceTables } from './appservice-tables.ts'
import { bridgeTables } from './bridge-tables.ts'
import { coreTables } from './core-tables.ts'
import { delayedTables } from './delayed-tables.ts'
import { directoryTables } from './directory-tables.ts'
import { encryptionTables } from './encryption-tables.ts'
import { federationRoomTables } from './federation-tables.ts'
import { mediaTables } from './media-tables.ts'
import { federationTables } from './network-tables.ts'
import { outboundTables } from './outbound-tables.ts'
import { pushTables } from './push-tables.ts'
import { remoteUserTables } from './remote-user-tables.ts'
import { reportTables } from './report-tables.ts'
import type { ErasureList } from './rules.ts'
import { searchTables } from './search-tables.ts'
import { userDataTables } from './user-data-tables.ts'

/**
 * What becomes of every table when a room is purged, a user erased, an event redacted: the one list that those
 * who do it work through (law 13). A new table or column goes in here; a test fails until it does.
 */
export const ERASURE: ErasureList = {
  ...coreTables,
  ...accountTables,
  ...encryptionTables,
  ...userDataTables,
  ...mediaTables,
  ...appserviceTables,
  ...bridgeTables,
  ...federationRoomTables,
  ...federationTables,
  ...outboundTables,
  ...pushTables,
  ...remoteUserTables,
  ...reportTables,
  ...searchTables,
  ...directoryTables,
  ...delayedTables,
}
