import { Cache } from '@causeway/store/cache/lru.ts'
import { createKeyedQueue, type KeyedQueue } from '@causeway/store/cache/keyed-queue.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { findLastBridgeNid } from '@causeway/store/tables/bridge-links.ts'
import { findCursor } from '@causeway/store/tables/bridge-cursors.ts'
import { findNextOperation, listBusyLanes } from '@causeway/store/tables/bridge-outbox.ts'
import type { GhostIds } from './ghost-ids.ts'
import { Ghosts } from './ghosts.ts'
import type { HubContext, HubLog, HubSettings, Numbers } from './hub-context.ts'
import { Inbound } from './inbound/inbound.ts'
import { receiveRemoteCommand } from './links/remote-command.ts'
import { LinkRegistry } from './links/registry.ts'
import type { Link } from './links/registry.ts'
import { startUnlink } from './links/unlink.ts'
import { portalLane } from './lanes.ts'
import { startMaintenance } from './maintenance.ts'
import { MatrixPortError } from './matrix-port.ts'
import type { MatrixPort } from './matrix-port.ts'
import { MessageBook } from './message-book.ts'
import type { Network, Portal, RemoteSink, Resumption } from './network.ts'
import { LaneRunner } from './outbound/lane-runner.ts'
import { createRunOperation } from './outbound/run-operation.ts'
import { receiveTransaction } from './receive-transaction.ts'
import { runTask } from './run-task.ts'

export interface HubOptions {
  readonly db: Database
  readonly port: MatrixPort
  readonly networks: readonly Network[]
  readonly ghostIds: GhostIds
  readonly settings: HubSettings
  readonly clock: Clock
  readonly random: Random
  readonly log: HubLog
}

/** A running hub. */
export interface Hub {
  /** For commands of administrators: the functions of `links/` and `commands/status.ts` take it. */
  readonly context: HubContext
  /**
   * Takes a transaction of the homeserver; resolves once it is stored, so that it may be acknowledged. The same id has
   * no effect twice.
   */
  handleTransaction(txnId: string, events: readonly unknown[]): Promise<void>
  /** Resolves when nothing is under way in either direction (what has to wait for something counts as idle). */
  settle(): Promise<void>
  /** Finishes what is under way and leaves the networks; what waits stays stored. */
  stop(): Promise<void>
}

const NAMES_BYTES = 2 * 1024 * 1024

async function countFrom(db: Database): Promise<Numbers> {
  let outbox = await findLastBridgeNid(db, 'bridge_outbox')
  let inbox = await findLastBridgeNid(db, 'bridge_inbox')
  return { outbox: () => ++outbox, inbox: () => ++inbox }
}

function createContext(
  options: HubOptions,
  numbers: Numbers,
  signal: AbortSignal,
  { wake, settlePortal }: Pick<HubContext, 'wake' | 'settlePortal'>,
) {
  const { db, port, networks, ghostIds, settings, clock, random, log } = options
  const hub: HubContext = {
    ...{ db, port, ghostIds, settings, clock, random, log, signal, numbers, wake, settlePortal },
    networks: new Map(networks.map((network) => [network.name, network])),
    ghosts: new Ghosts({ db, port, ids: ghostIds, clock }),
    links: new LinkRegistry(db, clock),
    book: new MessageBook(db, clock),
    names: new Cache('bridge display names', NAMES_BYTES, (name, key) => 2 * (name.length + key.length)),
  }
  return hub
}

/** `orders`: what is said to the bridge in a channel is done in that order, one thing after the other. */
function createSink(hub: HubContext, inbound: Inbound, orders: KeyedQueue<number>): RemoteSink {
  const act = (portal: Portal, run: () => Promise<void>): void =>
    void orders
      .serial(portal.nid, run)
      .catch((error: unknown) => hub.log.error('a word from a channel could not be acted upon', { error }))
  return {
    receive: (portal, event) => inbound.receive(portal, event),
    command: (portal, command) => act(portal, () => receiveRemoteCommand(hub, portal, command)),
    lost: (portal, reason) => act(portal, () => endLost(hub, portal, reason)),
  }
}

/** The channel threw the bridge out, which is a way to say that it is not wanted. */
async function endLost(hub: HubContext, portal: Portal, reason: string): Promise<void> {
  const link = hub.links.ofPortal(portal.nid)
  if (link === undefined || link.state === 'leaving') return
  await startUnlink(hub, link, { side: 'remote', by: `${portal.name}: ${reason}`, removeGhosts: true })
}

/** Where the process before us stopped, or this one when it last tried. */
async function findResumption(db: Database, portalNid: number): Promise<Resumption> {
  const under = await findNextOperation(db, portalLane(portalNid), 0)
  const part = under?.state === 'attempting' ? (JSON.parse(under.parts) as string[])[under.part] : undefined
  return { cursor: await findCursor(db, portalNid), underWay: part === undefined ? [] : [part] }
}

const REOPEN_MS = 60_000

/** Enters the channel of a link that was there before. That it cannot be entered now is no reason to give it up. */
async function reopen(hub: HubContext, { nid, portal }: Link): Promise<void> {
  const link = hub.links.ofPortal(portal.nid)
  const isWanted = link?.nid === nid && ['consenting', 'live', 'paused'].includes(link.state)
  if (!isWanted || hub.signal.aborted) return
  const resumption = await findResumption(hub.db, portal.nid)
  const result = await hub.networks.get(portal.network)?.open(portal, link.options, resumption)
  if (result?.kind !== 'refused') return
  hub.log.warn('a linked channel cannot be entered; trying again', {
    channel: portal.name,
    reason: result.reason,
  })
  hub.clock.setTimeout(() => void reopenLater(hub, link), REOPEN_MS, { unref: true })
}

function reopenLater(hub: HubContext, link: Link): Promise<void> {
  return reopen(hub, link).catch((error: unknown) =>
    hub.log.error('a channel could not be entered', { error }),
  )
}

/** The networks enter the channels in their own time. */
async function openAll(hub: HubContext): Promise<void> {
  for (const link of hub.links.all()) {
    await hub.ghosts.members(link.portal.nid)
    void reopenLater(hub, link)
  }
}

/** Makes the bot exist; without it nothing can be done, so that this waits for the homeserver. */
async function prepareBot({ port, settings, log, clock, signal }: HubContext): Promise<void> {
  const localpart = port.botUserId.slice(1, port.botUserId.indexOf(':'))
  while (!signal.aborted) {
    try {
      await port.register(localpart)
      await port.setDisplayName(undefined, settings.botName)
      return
    } catch (error) {
      if (error instanceof MatrixPortError && !error.isTemporary) {
        log.warn('the bot of the bridges could not be prepared', { error })
        return
      }
      await clock.sleep(1_000, signal).catch(() => undefined)
    }
  }
}

/** Starts the hub: everything an earlier process left undone is taken up again. */
export async function startHub(options: HubOptions): Promise<Hub> {
  const { db, clock, log, networks } = options
  const abort = new AbortController()
  const late: { lanes?: LaneRunner; inbound?: Inbound } = {}
  const numbers = await countFrom(db)
  const hub = createContext(options, numbers, abort.signal, {
    wake: (lane) => late.lanes?.wake(lane),
    settlePortal: async (portalNid) => late.inbound?.settlePortal(portalNid),
  })
  await hub.links.load(await findLastBridgeNid(db, 'bridge_link'))
  const run = createRunOperation(hub, (operation) => runTask(hub, operation))
  const lanes = (late.lanes = new LaneRunner({ db, clock, log, run, signal: abort.signal }))
  const inbound = (late.inbound = new Inbound(hub))
  const queue = createKeyedQueue<'transactions'>()
  const orders = createKeyedQueue<number>()
  const sink = createSink(hub, inbound, orders)
  for (const network of networks) network.start(sink)
  const ready = prepareBot(hub)
  await openAll(hub)
  await inbound.resume()
  for (const lane of await listBusyLanes(db)) void ready.then(() => lanes.wake(lane))
  startMaintenance(hub)
  return {
    context: hub,
    handleTransaction: (txnId, events) =>
      queue.serial('transactions', () => receiveTransaction(hub, txnId, events)),
    settle: async () => {
      await queue.idle()
      await orders.idle()
      await lanes.settle()
      await inbound.settle()
    },
    stop: async () => {
      abort.abort()
      await queue.idle()
      await Promise.all(networks.map((network) => network.stop()))
      await orders.idle()
      await lanes.settle()
      await inbound.settle()
    },
  }
}
