import type { Signer } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { BlobStore } from '@causeway/store/blobs/blob-store.ts'
import type { Bus } from '@causeway/store/bus/local.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { Log } from '@causeway/store/log/log.ts'
import type { Transactions } from './client/idempotent.ts'
import type { HomeserverConfig } from './config.ts'
import type { DelayedSending } from './delayed/delayed-sending.ts'
import type { Email } from './email/email.ts'
import type { Sms } from './phone/sms.ts'
import type { IdentityServers } from './identity/identity-servers.ts'
import type { Previews } from './previews/previews.ts'
import type { PublicRooms } from './directory/public-rooms.ts'
import type { GuestWatch } from './guests/guest-watch.ts'
import type { RateLimiter } from './limits/limiter.ts'
import type { MediaState } from './media/media-state.ts'
import type { Logger } from './ops/log.ts'
import type { RoomList } from './room-list/room-list.ts'
import type { RoomEngine } from './rooms/engine.ts'
import type { RoomHistory } from './rooms/history/room-history.ts'
import type { SearchIndex } from './search/search-index.ts'
import type { Notifier } from './sync/notifier.ts'
import type { ToldMembers } from './sync/told-members.ts'
import type { Sliding } from './sync/sliding/sliding.ts'
import type { VolatileStream } from './sync/volatile.ts'
import type { RemoteDevices } from './devices/remote/remote-devices.ts'
import type { RemoteAliases } from './directory/remote-aliases.ts'
import type { EduTally } from './federation/edus/edu-tally.ts'
import type { RemoteProfiles } from './profile/remote-profiles.ts'
import type { KeyCounts } from './devices/key-counts.ts'
import type { Unread } from './unread/counts.ts'
import type { StoredFilters } from './sync/stored-filters.ts'
import type { Presence } from './presence/presence.ts'
import type { Federation } from './federation/federation.ts'
import type { Receiving } from './federation/receiving/receiving.ts'
import type { Outbound } from './federation/outbound/outbound.ts'
import type { RemoteSpaces } from './federation/history/remote-spaces.ts'
import type { Joining } from './federation/joining/joining.ts'
import type { ServerNotices } from './server-notices/server-notices.ts'
import type { ThirdParty } from './third-party/third-party.ts'
import type { Accounts } from './accounts/accounts.ts'
import type { Appservices } from './appservice/appservices.ts'
import type { Sessions } from './accounts/sessions.ts'
import type { Jobs } from './jobs/runner.ts'
import type { Push } from './push/push.ts'
import type { PushRules } from './user-data/push-rules.ts'
import type { Typing } from './user-data/typing.ts'
import type { UserDirectory } from './user-directory/user-directory.ts'
import type { TokenEpochs } from './sync/token.ts'

/**
 * The shared things of a running homeserver: a plain record, not services. Functions ask for the part they
 * use (`Pick<Homeserver, 'db' | 'clock'>`). Built once, in `server.ts`.
 */
export interface Homeserver {
  readonly serverName: ServerName
  readonly config: HomeserverConfig
  readonly logger: Logger
  readonly db: Database
  readonly log: Log
  readonly bus: Bus
  readonly blobs: BlobStore
  readonly budget: MemoryBudget
  /** How much anybody may do; the only one of the process. */
  readonly limiter: RateLimiter
  readonly clock: Clock
  readonly random: Random
  readonly signer: Signer
  readonly media: MediaState
  readonly email: Email
  readonly sms: Sms
  /** Servers that say whose an address is. */
  readonly identity: IdentityServers
  /** What pages say of themselves. */
  readonly previews: Previews
  readonly publicRooms: PublicRooms
  readonly rooms: RoomEngine
  readonly history: RoomHistory
  /** What messages are found by. */
  readonly search: SearchIndex
  readonly remoteSpaces: RemoteSpaces
  readonly transactions: Transactions
  /** What is to be sent later. */
  readonly delayed: DelayedSending
  readonly notifier: Notifier
  readonly toldMembers: ToldMembers
  readonly sliding: Sliding
  readonly volatile: VolatileStream
  readonly pushRules: PushRules
  readonly unread: Unread
  /** What people's push gateways are told. */
  readonly push: Push
  readonly filters: StoredFilters
  readonly presence: Presence
  readonly typing: Typing
  readonly sessions: Sessions
  /** Who is here without an account. */
  readonly guests: GuestWatch
  readonly accounts: Accounts
  readonly appservices: Appservices
  /** Other servers: the client that speaks to them, their keys. */
  readonly federation: Federation
  /** What other servers send to our rooms. */
  readonly receiving: Receiving
  /** What other servers are sent. */
  readonly outbound: Outbound
  /** Devices and identities of users of other servers. */
  readonly remoteDevices: RemoteDevices
  readonly remoteProfiles: RemoteProfiles
  readonly remoteAliases: RemoteAliases
  readonly eduTally: EduTally
  /** Into rooms of other servers, and out of them. */
  readonly joining: Joining
  readonly keyCounts: KeyCounts
  readonly serverNotices: ServerNotices
  /** What is known of other networks. */
  readonly thirdParty: ThirdParty
  /** Who is found by whom. */
  readonly userDirectory: UserDirectory
  /** What rooms say of themselves, for operators. */
  readonly roomList: RoomList
  /** Work that takes many writes. */
  readonly jobs: Jobs
  /** Told to clients inside their sync tokens. */
  readonly epochs: TokenEpochs
}
