import { Cache } from '@causeway/store/cache/lru.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import { findMessageLink, listMessageLinks, setMessageLink } from '@causeway/store/tables/bridge-messages.ts'
import type { MessageLinkRecord } from '@causeway/store/tables/bridge-messages.ts'

/** A message's words as last known: for corrections and quotes. Kept in memory only. */
export interface KnownText {
  readonly sender: string
  readonly text: string
}

const CACHE_BYTES = 4 * 1024 * 1024
const MAX_TEXT = 8192

/** Which event is which message of a network. Memory first: an answer may come before the row is written. */
export class MessageBook {
  readonly #db: Database
  readonly #clock: Clock
  readonly #parts = new Cache<string, readonly MessageLinkRecord[]>(
    'bridge message links',
    CACHE_BYTES,
    (links) => links.length * 300,
  )
  readonly #remote = new Cache<string, MessageLinkRecord>('bridge remote ids', CACHE_BYTES, () => 400)
  readonly #texts = new Cache<string, KnownText>(
    'bridge texts',
    CACHE_BYTES,
    ({ text }) => 100 + 2 * text.length,
  )

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  /** Remembers a part; the step has to be committed by the caller. */
  record(link: Omit<MessageLinkRecord, 'createdTs'>): Step {
    const record = { ...link, createdTs: this.#clock.now() }
    const key = `${link.portalNid} ${link.eventId}`
    const held = this.#parts.peek(key)
    // Earlier parts may be known to the database alone, from before a restart: what is held is all there is, or nothing.
    if (held !== undefined || link.part === 0)
      this.#parts.set(key, [...(held ?? []).filter((one) => one.part !== link.part), record])
    if (link.remoteId !== '') this.#remote.set(`${link.portalNid} ${link.remoteId}`, record)
    return setMessageLink(record)
  }

  /** The parts of an event in a portal, in their order; none where it never crossed. */
  async partsOf(portalNid: number, eventId: string): Promise<readonly MessageLinkRecord[]> {
    return (
      this.#parts.get(`${portalNid} ${eventId}`) ?? (await listMessageLinks(this.#db, portalNid, eventId))
    )
  }

  /** The event a message of a network stands for. */
  async eventOf(portalNid: number, remoteId: string): Promise<MessageLinkRecord | undefined> {
    return (
      this.#remote.get(`${portalNid} ${remoteId}`) ?? (await findMessageLink(this.#db, portalNid, remoteId))
    )
  }

  learnText(eventId: string, known: KnownText): void {
    this.#texts.set(eventId, { ...known, text: known.text.slice(0, MAX_TEXT) })
  }

  textOf(eventId: string): KnownText | undefined {
    return this.#texts.get(eventId)
  }

  forgetText(eventId: string): void {
    this.#texts.delete(eventId)
  }
}
