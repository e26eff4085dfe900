import type { Homeserver } from '../../homeserver.ts'
import type { RoomPeers } from '../../rooms/peers/room-peers.ts'
import type { FederationClient } from '../federation-client.ts'

/** What it takes to join rooms of other servers, and to let others join ours. */
export type JoiningDeps = Pick<
  Homeserver,
  'serverName' | 'rooms' | 'signer' | 'db' | 'clock' | 'logger' | 'random'
> & {
  readonly federation: { readonly client: FederationClient; readonly peers: RoomPeers }
}
