import type { Signer } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'

/**
 * The shared things of a running homeserver: a plain record, not services. Functions ask for the part they
 * use (`Pick<Homeserver, 'db' | 'clock'>`). Built once, in `server.ts`.
 */
export interface Homeserver {
  readonly serverName: ServerName
  readonly db: Database
  readonly clock: Clock
  readonly random: Random
  readonly signer: Signer
}
