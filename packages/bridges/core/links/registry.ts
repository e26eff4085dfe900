import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import {
  insertLink,
  insertPortal,
  listLinks,
  listPortals,
  moveLink,
  updateLink,
} from '@causeway/store/tables/bridge-links.ts'
import type { LinkRecord, PortalRecord } from '@causeway/store/tables/bridge-links.ts'
import type { LinkOptions, Portal } from '../network.ts'

/**
 * proposed: asked for on the Matrix side, the channel not entered yet. consenting: the channel side was asked.
 * live: messages cross. paused: both sides agreed, nothing crosses. leaving: being taken apart. gone: over.
 */
export type LinkState = 'proposed' | 'consenting' | 'live' | 'paused' | 'leaving' | 'gone'

/** A room and the channel it shares. Never mutated: a change gives a new one. */
export interface Link {
  readonly nid: number
  readonly portal: Portal
  readonly roomId: string
  readonly state: LinkState
  readonly options: LinkOptions
  readonly requestedBy: string
  readonly createdTs: number
}

const NEXT: Readonly<Record<LinkState, readonly LinkState[]>> = {
  proposed: ['consenting', 'live', 'leaving', 'gone'],
  consenting: ['live', 'leaving', 'gone'],
  live: ['paused', 'leaving'],
  paused: ['live', 'leaving'],
  leaving: ['gone'],
  gone: [],
}

const keyOf = (network: string, server: string, channel: string): string => `${network} ${server} ${channel}`

function linkOf(record: LinkRecord, portal: Portal): Link {
  return {
    nid: record.nid,
    portal,
    roomId: record.roomId,
    state: record.state as LinkState,
    options: JSON.parse(record.options) as LinkOptions,
    requestedBy: record.requestedBy,
    createdTs: record.createdTs,
  }
}

/** All links that are not gone, held in memory: there are as many as communities agreed to. */
export class LinkRegistry {
  readonly #db: Database
  readonly #clock: Clock
  readonly #portals = new Map<string, Portal>()
  readonly #byPortal = new Map<number, Link>()
  readonly #byRoom = new Map<string, readonly Link[]>()
  #lastPortal = 0
  #lastLink = 0

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  async load(lastLinkNid: number): Promise<void> {
    const portals = await listPortals(this.#db)
    const byNid = new Map(portals.map((portal) => [portal.nid, portal]))
    for (const portal of portals)
      this.#portals.set(keyOf(portal.network, portal.server, portal.channel), portal)
    this.#lastPortal = portals.at(-1)?.nid ?? 0
    this.#lastLink = lastLinkNid
    for (const record of await listLinks(this.#db)) {
      const portal = byNid.get(record.portalNid)
      if (portal !== undefined) this.#hold(linkOf(record, portal))
    }
  }

  /** Every link that is not gone. */
  all(): Link[] {
    return [...this.#byPortal.values()]
  }

  inRoom(roomId: string): readonly Link[] {
    return this.#byRoom.get(roomId) ?? []
  }

  ofPortal(portalNid: number): Link | undefined {
    return this.#byPortal.get(portalNid)
  }

  find(network: string, server: string, channel: string): Link | undefined {
    const portal = this.#portals.get(keyOf(network, server, channel))
    return portal === undefined ? undefined : this.#byPortal.get(portal.nid)
  }

  /**
   * Proposes a link; `steps` go into the same commit and may refer to its number. Undefined where the channel has a
   * link already.
   */
  async propose(
    channel: Omit<Portal, 'nid'>,
    link: Pick<Link, 'roomId' | 'options' | 'requestedBy'>,
    steps: (linkNid: number, portalNid: number) => readonly Step[],
  ): Promise<Link | undefined> {
    const key = keyOf(channel.network, channel.server, channel.channel)
    const known = this.#portals.get(key)
    if (known !== undefined && this.#byPortal.has(known.nid)) return undefined
    const now = this.#clock.now()
    const portal: PortalRecord = { ...channel, nid: known?.nid ?? ++this.#lastPortal, createdTs: now }
    const nid = ++this.#lastLink
    const made: Link = { ...link, nid, portal, state: 'proposed', createdTs: now }
    const record: LinkRecord = {
      ...{
        nid,
        portalNid: portal.nid,
        roomId: link.roomId,
        state: 'proposed',
        createdTs: now,
        updatedTs: now,
      },
      ...{ options: JSON.stringify(link.options), requestedBy: link.requestedBy },
    }
    const result = await this.#db.commit({
      entries: [],
      steps: [
        ...(known === undefined ? [insertPortal(portal)] : []),
        insertLink(record),
        ...steps(nid, portal.nid),
      ],
    })
    if (!result.ok) return undefined
    this.#portals.set(key, portal)
    this.#hold(made)
    return made
  }

  /** Moves a link on, with whatever belongs to it in one commit. Does nothing where that is no way from its state. */
  async advance(
    link: Link,
    state: LinkState,
    options: LinkOptions = link.options,
    steps: readonly Step[] = [],
  ): Promise<Link> {
    const current = this.#byPortal.get(link.portal.nid)
    if (current?.nid !== link.nid || !NEXT[current.state].includes(state)) return current ?? link
    const write = updateLink(link.nid, state, JSON.stringify(options), this.#clock.now())
    const next: Link = { ...current, state, options }
    // At once, so that nothing is planned for a link that is about to go.
    this.#hold(next)
    await this.#db.commit({ entries: [], steps: [write, ...steps] })
    return next
  }

  /**
   * Gives a link another room, with whatever belongs to it in one commit. Undefined where it is gone, or about to go; the
   * link as it is where it has the room already.
   */
  async move(
    link: Link,
    { roomId, state, options }: Pick<Link, 'roomId' | 'state' | 'options'>,
    steps: readonly Step[],
  ): Promise<Link | undefined> {
    const current = this.#byPortal.get(link.portal.nid)
    if (current?.nid !== link.nid || current.state === 'leaving') return undefined
    if (current.roomId === roomId) return current
    const next: Link = { ...current, roomId, state, options }
    this.#release(current)
    this.#hold(next)
    const write = moveLink(link.nid, { roomId, state, options: JSON.stringify(options) }, this.#clock.now())
    await this.#db.commit({ entries: [], steps: [write, ...steps] })
    return next
  }

  #release(link: Link): void {
    const others = this.inRoom(link.roomId).filter((one) => one.nid !== link.nid)
    if (others.length === 0) this.#byRoom.delete(link.roomId)
    else this.#byRoom.set(link.roomId, others)
  }

  #hold(link: Link): void {
    const others = this.inRoom(link.roomId).filter((one) => one.nid !== link.nid)
    const isGone = link.state === 'gone'
    if (isGone) this.#byPortal.delete(link.portal.nid)
    else this.#byPortal.set(link.portal.nid, link)
    const inRoom = isGone ? others : [...others, link]
    if (inRoom.length === 0) this.#byRoom.delete(link.roomId)
    else this.#byRoom.set(link.roomId, inRoom)
  }
}
