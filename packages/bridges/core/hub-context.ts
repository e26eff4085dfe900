import type { Cache } from '@causeway/store/cache/lru.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import type { GhostIds } from './ghost-ids.ts'
import type { Ghosts } from './ghosts.ts'
import type { LinkRegistry } from './links/registry.ts'
import type { MatrixPort } from './matrix-port.ts'
import type { MessageBook } from './message-book.ts'
import type { Network } from './network.ts'

/** What the hub writes into the operator's log. */
export interface HubLog {
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

export interface HubSettings {
  /** How long links to files work, in milliseconds. */
  readonly mediaLinkMs: number
  /** A message older than this is sent with its time; milliseconds. */
  readonly lateAfterMs: number
  /** A message older than this is not sent any more; milliseconds. */
  readonly expiresAfterMs: number
  /** How long it is remembered which event is which message; milliseconds. */
  readonly rememberMs: number
  /** How long the channel side may take to answer, in milliseconds. */
  readonly consentMs: number
  /** How long to wait for more of the kind before people are told of messages that did not get through; milliseconds. */
  readonly gatherTroubleMs: number
  readonly botName: string
  /** 32 bytes: seals what people entrust us (passwords of their accounts elsewhere). */
  readonly sealKey: Uint8Array
}

/** The shared things of a running hub: a plain record; functions ask for the part they use. */
export interface HubContext {
  readonly db: Database
  readonly port: MatrixPort
  readonly networks: ReadonlyMap<string, Network>
  readonly ghostIds: GhostIds
  readonly ghosts: Ghosts
  readonly links: LinkRegistry
  readonly book: MessageBook
  /** `<room id> <user id>` → display name in that room. */
  readonly names: Cache<string, string>
  readonly clock: Clock
  readonly random: Random
  readonly log: HubLog
  readonly settings: HubSettings
  /** Aborted when the hub stops: whoever waits gives up. */
  readonly signal: AbortSignal
  readonly numbers: Numbers
  /** Lets a lane look for work. */
  wake(lane: string): void
  /** Resolves when nothing that was heard in a portal's channel is under way into its room. */
  settlePortal(portalNid: number): Promise<void>
}

/** Hands out row numbers: this process is the only one that writes the tables. */
export interface Numbers {
  outbox(): number
  inbox(): number
}

/** Sends a notice of the bot. The same `txnId` never gives a second one. */
export async function tellRoom(
  { port }: Pick<HubContext, 'port'>,
  roomId: string,
  text: string,
  txnId: string,
  replyTo?: string,
): Promise<void> {
  const relation = replyTo === undefined ? {} : { 'm.relates_to': { 'm.in_reply_to': { event_id: replyTo } } }
  const content = { msgtype: 'm.notice', body: text, 'm.mentions': {}, ...relation }
  await port.send(undefined, { roomId, type: 'm.room.message', content, txnId })
}

/** Commits, and fails where the database refused what cannot be refused. */
export async function commitSteps(hub: Pick<HubContext, 'db'>, steps: readonly Step[]): Promise<void> {
  if (steps.length === 0) return
  const result = await hub.db.commit({ entries: [], steps })
  if (!result.ok) throw new Error(`the database refused step ${result.step} (${result.reason})`)
}
