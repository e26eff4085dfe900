import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import { createLocalBus, type Bus } from '@causeway/store/bus/local.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { openDatabase, type DatabaseConfig, type OpenDatabase } from '@causeway/store/db/open.ts'
import { openLog, type Log } from '@causeway/store/log/log.ts'
import { createTransactions } from './client/idempotent.ts'
import { createFederation, readAuthorities, type FederationNetwork } from './federation/create-federation.ts'
import { createPolicyPort } from './federation/policy/ask-policy-server.ts'
import { createRemoteSpaces } from './federation/history/remote-spaces.ts'
import { createRoomPeers } from './federation/room-peers.ts'
import { createJoining } from './federation/joining/joining.ts'
import { createReceiving } from './federation/receiving/receiving.ts'
import { createRemoteParts } from './federation/create-remote-parts.ts'
import { createOwnKeys } from './federation/keys/own-keys.ts'
import { rateLimitsOf, type HomeserverConfig } from './config.ts'
import { createSigner, takeSigningKeys, type SigningKey } from './crypto/signing-key.ts'
import { createKeyCounts } from './devices/create-key-counts.ts'
import { createDelayedSending } from './delayed/delayed-sending.ts'
import { createEmail } from './email/email.ts'
import { createSms, type Sms } from './phone/sms.ts'
import { createIdentityServers } from './identity/identity-servers.ts'
import type { Homeserver } from './homeserver.ts'
import { clientIp, createTrustedProxies } from './http/client-ip.ts'
import { type RouterDeps } from './http/router.ts'
import { createPublicRooms } from './directory/public-rooms.ts'
import { createMediaState } from './media/media-state.ts'
import { openBlobs } from './media/open-blobs.ts'
import type { Logger } from './ops/log.ts'
import { createSystemResolver } from './outgoing/system-resolver.ts'
import { retentionLimits } from './retention-options.ts'
import { createPreviews } from './previews/previews.ts'
import { createThirdParty } from './third-party/third-party.ts'
import { createServerNotices } from './server-notices/server-notices.ts'
import { createUserDirectory } from './user-directory/user-directory.ts'
import { createPresence } from './presence/create-presence.ts'
import { createRoomList } from './room-list/room-list.ts'
import { createRoomEngine, type RoomEngine, type StateReset } from './rooms/engine.ts'
import { createReceiveFigures, type ReceiveFigures } from './rooms/receive/figures.ts'
import type { RoomHistory } from './rooms/history/room-history.ts'
import type { FederationClient } from './federation/federation-client.ts'
import type { RoomPeers } from './rooms/peers/room-peers.ts'
import { createRoomHistory } from './rooms/history/create-room-history.ts'
import { followLog } from './rooms/follow-log.ts'
import { createAccounts } from './accounts/accounts.ts'
import { createSessions } from './accounts/sessions.ts'
import { createAppservices } from './appservice/appservices.ts'
import { checkUserClaim } from './appservice/claims.ts'
import { createEphemeralFeed } from './appservice/ephemeral-feed.ts'
import { loadRegistrations } from './appservice/load-registrations.ts'
import type { AppserviceRegistration } from './appservice/registration.ts'
import { createRegistry } from './appservice/registry.ts'
import { findAppserviceSession } from './appservice/session.ts'
import { createOutbound } from './federation/outbound/outbound.ts'
import { createHomeserverJobs } from './jobs/create-jobs.ts'
import { createSearchIndex } from './search/search-index.ts'
import { createAddressGuard } from './outgoing/address-guard.ts'
import { createOutgoing, type OutgoingDeps } from './outgoing/outgoing.ts'
import { createGuestWatch, NO_GUESTS } from './guests/guest-watch.ts'
import { loadLimits } from './limits/adjusted-limits.ts'
import { RateLimiter } from './limits/limiter.ts'
import { createStickyLimit } from './limits/sticky-limit.ts'
import { createPush, type Push, type PushDeps } from './push/push.ts'
import { createNotifier } from './sync/notifier.ts'
import { createStoredFilters } from './sync/create-stored-filters.ts'
import { createSliding } from './sync/sliding/sliding.ts'
import { createToldMembers } from './sync/told-members.ts'
import { createVolatileStream } from './sync/volatile.ts'
import { createPushRules } from './user-data/push-rules.ts'
import { createTyping } from './user-data/typing.ts'
import { createUnread } from './unread/create-unread.ts'

export interface HomeserverDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Called once per answer: for measurements. */
  readonly observe?: RouterDeps['observe']
  /** The database takes no more writes: the process has to end and start anew. */
  readonly onFailure?: (error: Error) => void
  /** Registrations of appservices that live in this process, beside those of the configuration. */
  readonly appservices?: readonly AppserviceRegistration[]
  /** Parts of the network that a test or a simulation replaces. */
  readonly network?: FederationNetwork
  /** In place of the database of the configuration: one in this thread, for simulations. */
  readonly database?: DatabaseConfig
}

/** A homeserver that answers requests. */
/** Entries of the log kept in memory; what is older is read from the tables. */
const RING = { maxEntries: 50_000, maxBytes: 16 * 1024 * 1024 }

export function databaseConfigOf({ database }: HomeserverConfig): DatabaseConfig {
  if (database.url === undefined) return { kind: 'sqlite', path: database.path }
  return { kind: 'postgres', url: database.url, poolSize: database.pool_size }
}

function openHistory(rooms: RoomEngine, peers: RoomPeers, logger: Logger): RoomHistory {
  return createRoomHistory(rooms, {
    peers,
    onFailure: ({ error, ...of }) =>
      logger.info('a server was of no help in filling a gap', { ...of, error }),
  })
}

/** Push, whose requests to where users say follow the same rules as those to where servers say. */
async function openPush(deps: Omit<PushDeps, 'outgoing'>, network: FederationNetwork): Promise<Push> {
  const { clock, config } = deps
  const guard = createAddressGuard(config.federation.allow_private_addresses)
  const authorities = await readAuthorities(config.federation)
  const resolver = network.resolver ?? createSystemResolver(clock)
  const outgoing = network.outgoing ?? createOutgoing({ clock, resolver, guard, authorities })
  return createPush({ ...deps, outgoing })
}

/** The hook is at an address of the operator's, which may be a private one. */
function openSms(
  { config, clock, logger, limiter }: Pick<Homeserver, 'config' | 'clock' | 'logger' | 'limiter'>,
  trusted: Pick<OutgoingDeps, 'resolver' | 'authorities'>,
): Sms {
  const guard = createAddressGuard(['0.0.0.0/0', '::/0'])
  const outgoing = createOutgoing({ clock, guard, ...trusted })
  return createSms({ config: config.sms, outgoing, clock, logger, limiter })
}

/**
 * What reaches the web, the mail server, the program that sends text messages, push gateways and identity servers. Names are resolved, and authorities trusted, as for other
 * servers.
 */
async function openOutside(
  shared: Omit<PushDeps, 'outgoing' | 'email'> & Pick<Homeserver, 'limiter'>,
  network: FederationNetwork,
): Promise<Pick<Homeserver, 'previews' | 'email' | 'sms' | 'identity' | 'push'>> {
  const { config, signer, clock } = shared
  const { resolver = createSystemResolver(clock) } = network
  const authorities = await readAuthorities(config.federation)
  const guard = createAddressGuard(config.federation.allow_private_addresses)
  const outgoing = createOutgoing({ clock, resolver, guard, authorities })
  const email = createEmail({ ...shared, config: config.email, authorities })
  return {
    previews: createPreviews({ ...shared, config: config.url_previews, resolver, authorities }),
    email,
    sms: openSms(shared, { resolver, authorities }),
    push: await openPush({ ...shared, email }, network),
    identity: createIdentityServers({ config: config.identity_servers, signer, outgoing }),
  }
}

/** What is done later, and goes on after a restart. @param hs read when it is done: the record is not complete before */
function createLaterWork(
  shared: Parameters<typeof createHomeserverJobs>[0],
  hs: () => Homeserver,
): Pick<Homeserver, 'jobs' | 'delayed'> {
  return { jobs: createHomeserverJobs(shared, hs), delayed: createDelayedSending(shared, hs) }
}

/** The database, which signs as this server, and the log over it. */
function openStore(
  config: HomeserverConfig,
  { serverName, key, bus }: { serverName: ServerName; key: SigningKey; bus: Bus },
  { clock, random, logger, onFailure, database = databaseConfigOf(config) }: HomeserverDeps,
): Promise<{ db: OpenDatabase; log: Log }> {
  const signer = { serverName, keyId: key.keyId, privateKey: key.seed }
  const more = { clock, random, signer, log: logger, onFailure }
  return openLog((onCommit) => openDatabase(database, { ...more, onCommit }), {
    bus,
    ring: RING,
    maxChangedKeys: 50_000,
  })
}

/** A state reset is counted, and told to the operator. */
function watchResets(received: ReceiveFigures, logger: Logger): (reset: StateReset) => void {
  return (reset) => {
    received.stateResets++
    logger.warn('the state of a room was resolved to what no branch of it had: see the room doctor', {
      ...reset,
    })
  }
}

/** What everything else is built on: keys, the store, the rooms over it. */
async function openFoundations(
  config: HomeserverConfig,
  deps: HomeserverDeps,
  client: () => FederationClient,
) {
  const { clock, random, logger, appservices } = deps
  const serverName = config.server_name as ServerName
  await mkdir(config.data_dir, { recursive: true, mode: 0o700 })
  await mkdir(path.dirname(config.signing_key), { recursive: true, mode: 0o700 })
  const registrations = await loadRegistrations(config.appservices, appservices ?? [], serverName)
  const keyFile = await takeSigningKeys(config.signing_key, random, clock.now())
  const key = keyFile.keys[0]
  const bus = createLocalBus((error) => logger.error('a listener of the log failed', { error }))
  const { db, log } = await openStore(config, { serverName, key, bus }, deps)
  const budget = createMemoryBudget(config.memory.budget)
  const received = createReceiveFigures()
  const onStateReset = watchResets(received, logger)
  const signer = createSigner(serverName, key)
  const policy = createPolicyPort(signer, client)
  const retention = retentionLimits(config.retention)
  const limiter = new RateLimiter(rateLimitsOf(config), clock)
  await loadLimits({ limiter, db })
  const room = { policy, retention, onStateReset, stickyLimit: createStickyLimit(limiter) }
  const rooms = await createRoomEngine({ serverName, db, log, clock, random, budget, ...room })
  // First of all listeners: whoever is woken after it finds the memberships up to date.
  followLog(rooms, bus)
  const serverNotices = createServerNotices(config, serverName)
  const hidden = new Set([serverNotices.userId])
  const userDirectory = createUserDirectory({ rooms, bus, logger, serverName, hidden })
  const keyCounts = createKeyCounts({ db, budget })
  const stored = { db, log, bus, budget, keyCounts, limiter }
  const shared = { serverName, config, logger, ...stored, clock, random, rooms, userDirectory }
  return {
    shared,
    db,
    keyFile,
    received,
    registry: createRegistry(serverName, registrations),
    serverNotices,
    signer,
  }
}

/** The store and the shared record, without a listener: what tests and offline tools need. */
export async function openHomeserver(
  config: HomeserverConfig,
  deps: HomeserverDeps,
): Promise<{ hs: Homeserver; db: OpenDatabase }> {
  const { network = {} } = deps
  const foundations = await openFoundations(config, deps, () => hs.federation.client)
  const { shared, db, keyFile, received, registry, serverNotices, signer } = foundations
  const { serverName, logger, log, bus, budget, clock, random, rooms } = shared
  const proxies = createTrustedProxies(config.trusted_proxies)
  const volatile = createVolatileStream()
  const notifier = createNotifier({ log, bus, clock, members: rooms.members })
  const pushRules = createPushRules(shared)
  const unread = createUnread({ ...shared, pushRules })
  const feed = createEphemeralFeed({ ...shared, volatile, registry })
  const running = createAppservices(shared, registry, { onEntry: (entry) => feed.onEntry(entry) })
  const outbound = createOutbound({ ...shared, volatile })
  const watched = outbound.watch(feed.watch(notifier))
  const ownKeys = createOwnKeys(serverName, keyFile, config.old_signing_keys, clock)
  const federation = await createFederation({
    ...shared,
    config: config.federation,
    signer,
    ownKeys,
    network,
    onHeardFrom: (server) => {
      outbound.heardFrom(server)
      hs.receiving.policyRetries.heardFrom(server)
    },
  })
  const peers = createRoomPeers(federation.client, federation.keyring, network.verify)
  const hs: Homeserver = {
    ...shared,
    history: openHistory(rooms, peers, logger),
    search: createSearchIndex(shared),
    signer,
    media: createMediaState(signer, clock, budget),
    ...(await openOutside({ ...shared, signer, pushRules, unread }, network)),
    publicRooms: createPublicRooms(shared),
    roomList: createRoomList(shared),
    blobs: await openBlobs(config.media, random),
    notifier,
    volatile,
    transactions: createTransactions({ db, clock }, 20_000),
    toldMembers: createToldMembers(budget),
    sliding: createSliding(shared),
    epochs: { log: log.epoch, boot: random.token(8) },
    pushRules,
    unread,
    serverNotices,
    ...createLaterWork(shared, () => hs),
    filters: createStoredFilters(shared),
    presence: createPresence({ ...shared, volatile, notifier: watched }),
    typing: createTyping({ clock, volatile, notifier: watched }),
    appservices: running,
    thirdParty: createThirdParty({ ...shared, appservices: running }),
    federation,
    receiving: createReceiving(shared, peers, received),
    outbound,
    ...createRemoteParts(shared, federation.client),
    remoteSpaces: createRemoteSpaces({ ...shared, client: federation.client }),
    joining: createJoining({ ...shared, signer, appservices: running, federation: { ...federation, peers } }),
    guests: config.registration.guests ? createGuestWatch(shared) : NO_GUESTS,
    sessions: createSessions(shared, {
      hasGuests: config.registration.guests,
      ipOf: (request) => clientIp(request, proxies),
      findAppserviceSession: async (token, use) => {
        const session = await findAppserviceSession({ db, ...running }, token, use)
        const asker = session instanceof MatrixError ? undefined : session?.appserviceId
        if (asker !== undefined) running.queue(asker)?.heardFrom()
        return session
      },
      onForget: (userId) => running.forgetUser(userId),
    }),
    accounts: createAccounts(shared, {
      checkUserClaim: (userId, appserviceId) => checkUserClaim(registry, userId, appserviceId),
    }),
  }
  feed.open(hs)
  return { hs, db }
}
