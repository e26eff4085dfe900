import type { Step } from '@causeway/store/db/database.ts'
import { endInbox, insertInbox, listInbox, listWaitingPortals } from '@causeway/store/tables/bridge-inbox.ts'
import { setCursor } from '@causeway/store/tables/bridge-cursors.ts'
import type { InboxRecord } from '@causeway/store/tables/bridge-inbox.ts'
import type { HubContext } from '../hub-context.ts'
import type { Link } from '../links/registry.ts'
import { MatrixPortError } from '../matrix-port.ts'
import type { Portal, RemoteEvent } from '../network.ts'
import { deliver } from './deliver.ts'

const PAGE = 50
/** Things heard and not yet stored; a commit takes milliseconds, so that so many mean that the disk is gone. */
const MAX_UNSTORED = 50_000
const PAUSE_MS = 1_000
const PAUSE_MAX_MS = 30_000

/** Something heard, on its way into the database. */
interface Unstored extends InboxRecord {
  readonly cursor: string | undefined
}

/** How far each channel was heard, in the commit that stores what was. */
function cursorSteps(batch: readonly Unstored[]): Step[] {
  const last = new Map<number, string>()
  for (const { portalNid, cursor } of batch) if (cursor !== undefined) last.set(portalNid, cursor)
  return [...last].map(([portalNid, cursor]) => setCursor(portalNid, cursor))
}

/**
 * From the networks into the rooms: what is heard is stored first (several things in one commit), then brought into
 * the room in the order of the channel. Each has a transaction id of its own, so that what is tried twice appears once.
 */
export class Inbound {
  readonly #hub: HubContext
  #unstored: Unstored[] = []
  #isStoring = false
  readonly #running = new Map<number, boolean>()
  #idle: (() => void)[] = []
  /** Who waits for a portal to have nothing under way. */
  readonly #leaving = new Map<number, readonly (() => void)[]>()

  constructor(hub: HubContext) {
    this.#hub = hub
  }

  /** Takes what a network heard in a channel. Never waits. */
  receive(portal: Portal, event: RemoteEvent): void {
    const link = this.#hub.links.ofPortal(portal.nid)
    if (link?.state !== 'live' || !this.#matters(link, event)) return
    if (this.#unstored.length >= MAX_UNSTORED) {
      this.#hub.log.error('too much comes from the networks; something is lost', { channel: portal.name })
      return
    }
    const nid = this.#hub.numbers.inbox()
    const id = 'id' in event ? event.id : undefined
    const dedupeKey = id === undefined ? `n${nid}` : `${event.type}:${id}`
    const payload = JSON.stringify(event)
    const cursor = event.type === 'message' ? event.cursor : undefined
    const createdTs = this.#hub.clock.now()
    this.#unstored.push({ nid, portalNid: portal.nid, dedupeKey, payload, createdTs, cursor })
    if (!this.#isStoring) void this.#store()
  }

  /** Goes on with what an earlier process left. */
  async resume(): Promise<void> {
    for (const portalNid of await listWaitingPortals(this.#hub.db)) this.#wake(portalNid)
  }

  /** Resolves when nothing is under way. */
  settle(): Promise<void> {
    if (!this.#isStoring && this.#running.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** Resolves when nothing of a portal is under way into its room: for whoever took care that nothing more begins. */
  settlePortal(portalNid: number): Promise<void> {
    if (!this.#running.has(portalNid)) return Promise.resolve()
    return new Promise((resolve) => {
      this.#leaving.set(portalNid, [...(this.#leaving.get(portalNid) ?? []), resolve])
    })
  }

  /** Where only those who spoke have ghosts, the comings and goings of others leave no trace. */
  #matters(link: Link, event: RemoteEvent): boolean {
    if (event.type === 'join') return link.options.membership === 'eager'
    if (event.type !== 'leave' && event.type !== 'rename') return true
    if (link.options.membership === 'eager' || this.#running.has(link.portal.nid) || this.#isStoring)
      return true
    const { network, server, nid } = link.portal
    const person = event.type === 'leave' ? event.person : event.from
    const userId = this.#hub.ghostIds.userIdOf(network, server, person.id)
    return userId !== undefined && this.#hub.ghosts.isMember(nid, userId)
  }

  async #store(): Promise<void> {
    this.#isStoring = true
    while (this.#unstored.length > 0) {
      const batch = this.#unstored
      this.#unstored = []
      try {
        const steps = [...batch.map(insertInbox), ...cursorSteps(batch)]
        const result = await this.#hub.db.commit({ entries: [], steps })
        if (!result.ok) throw new Error(`refused at ${result.step}: ${result.reason}`)
        for (const portalNid of new Set(batch.map((record) => record.portalNid))) this.#wake(portalNid)
      } catch (error) {
        this.#hub.log.error('what came from the networks could not be stored', { error, count: batch.length })
      }
    }
    this.#isStoring = false
    this.#tellIdle()
  }

  #tellIdle(): void {
    if (this.#isStoring || this.#running.size > 0) return
    for (const wake of this.#idle.splice(0)) wake()
  }

  #wake(portalNid: number): void {
    if (this.#running.has(portalNid)) {
      this.#running.set(portalNid, true)
      return
    }
    this.#running.set(portalNid, false)
    void this.#work(portalNid)
  }

  async #work(portalNid: number): Promise<void> {
    const { db, signal, log, clock } = this.#hub
    let pauseMs = PAUSE_MS
    while (!signal.aborted) {
      this.#running.set(portalNid, false)
      try {
        const page = await listInbox(db, portalNid, PAGE)
        if (page.length === 0 && this.#running.get(portalNid) === false) break
        await this.#deliverAll(page)
        pauseMs = PAUSE_MS
      } catch (error) {
        // Nothing overtakes it: the channel's order is the room's.
        const asked = error instanceof MatrixPortError ? error.retryAfterMs : undefined
        log.warn('the homeserver does not take what comes from a network; trying again', {
          error,
          pauseMs,
          asked,
        })
        await clock.sleep(asked ?? pauseMs, signal).catch(() => undefined)
        pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2)
      }
    }
    this.#running.delete(portalNid)
    for (const wake of this.#leaving.get(portalNid) ?? []) wake()
    this.#leaving.delete(portalNid)
    this.#tellIdle()
  }

  /** One after another; that one is over is written while the next is under way, since repeating it has no effect. */
  async #deliverAll(records: readonly InboxRecord[]): Promise<void> {
    let writing: Promise<unknown> = Promise.resolve()
    try {
      for (const record of records) {
        if (this.#hub.signal.aborted) break
        const steps = await this.#deliver(record)
        await writing
        writing = this.#hub.db.commit({ entries: [], steps })
        // Its failure is met by the next await.
        writing.catch(() => undefined)
      }
    } finally {
      await writing
    }
  }

  /** Brings one into the room; returns the steps that say so. Throws where it has to be tried again. */
  async #deliver(record: InboxRecord): Promise<readonly Step[]> {
    const { links, log } = this.#hub
    const link = links.ofPortal(record.portalNid)
    let steps: readonly Step[] = []
    let state: 'done' | 'refused' = 'done'
    try {
      if (link?.state === 'live') {
        const event = JSON.parse(record.payload) as RemoteEvent
        const txnId = `in${record.nid}-${record.createdTs}`
        steps = await deliver(this.#hub, { link, event, txnId, heardTs: record.createdTs })
      }
    } catch (error) {
      if (error instanceof MatrixPortError && error.isTemporary) throw error
      log.warn('the homeserver refused what came from a network', { error, room: link?.roomId })
      state = 'refused'
    }
    return [...steps, endInbox(record.nid, state)]
  }
}
