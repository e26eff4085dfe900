import type { Clock } from '@causeway/store/clock/clock.ts'
import type { IrcClient } from './client/client.ts'
import type { IrcEvent, TextEvent } from './client/events.ts'

/** Lines in one answer, lines in all, and how old they may be. What was said before was said to nobody here. */
const PAGE_LINES = 100
const MAX_LINES = 2_000
const MAX_AGE_MS = 86_400_000
/** Live events that wait behind the history; of more, the newest are passed on at once, out of order. */
const MAX_HELD = 10_000
/** As whom Ergo tells, in words, who came and went: news of then, and said by nobody. */
const HISTORY_SERVICE = 'HistServ'
/** Lines of ours in doubt that are remembered. */
const MAX_DOUBTFUL = 100

export interface ChannelHistoryDeps {
  readonly client: Pick<IrcClient, 'hasHistory' | 'requestHistory' | 'isupport'>
  readonly channel: string
  readonly clock: Pick<Clock, 'now'>
  /** Passes on what happened; `isHistory`: while nobody listened. */
  readonly tell: (event: IrcEvent, isHistory: boolean) => void
  /** Whether somebody is in the channel now who does not speak through us. */
  readonly isOther: (nick: string) => boolean
  /** Told when more was said than is fetched. */
  readonly onCut: (lines: number) => void
}

function isText(event: IrcEvent): event is TextEvent {
  return event.type === 'message' || event.type === 'notice' || event.type === 'action'
}

function selectorBehind({ msgid, time }: TextEvent): string | undefined {
  if (msgid !== undefined) return `msgid=${msgid}`
  return time === undefined ? undefined : formatTime(time)
}

const formatTime = (ms: number): string => `timestamp=${new Date(ms).toISOString()}`

/**
 * What was said in a channel while we were not in it, where the server keeps that: fetched when we are back, and told
 * before anything that happens from then on. What overlaps with what was heard is told again; ids tell it apart.
 */
export class ChannelHistory {
  readonly #deps: ChannelHistoryDeps
  /** When the last line was said that we heard, by the server's clock; undefined: never were here. */
  #heardTs: number | undefined
  /** Texts of ours of which it is not known whether they were said. */
  readonly #doubtful: string[] = []
  readonly #said = new Map<string, string>()
  /** Live events that wait; defined while the history is fetched. */
  #held: IrcEvent[] | undefined
  #page: TextEvent[] = []

  constructor(deps: ChannelHistoryDeps) {
    this.#deps = deps
  }

  /** Nobody may speak yet: what was said before would come behind the answer. */
  get isFetching(): boolean {
    return this.#held !== undefined
  }

  /** Goes on where an earlier process stopped, with the lines it may have said. */
  resume(heardTs: number | undefined, doubtful: readonly string[]): void {
    this.#heardTs ??= heardTs
    for (const text of doubtful) this.doubt(text)
  }

  /** A line of ours may have been said or not. */
  doubt(text: string): void {
    this.#doubtful.push(text)
    if (this.#doubtful.length > MAX_DOUBTFUL) this.#doubtful.shift()
  }

  /** The id under which a line in doubt turned out to have been said. */
  findSaid(text: string): string | undefined {
    return this.#said.get(text)
  }

  /** Takes what the connection tells of the channel; false where it is to be passed on as it is. */
  take(event: IrcEvent): boolean {
    if (event.type === 'join' && event.own) {
      this.#begin(event.time)
      return false
    }
    if (isText(event) && event.batch === 'chathistory') {
      this.#page.push(event)
      return true
    }
    if (this.#held !== undefined && this.#held.length < MAX_HELD && event.type !== 'disconnected') {
      this.#held.push(event)
      return true
    }
    this.#heard(event)
    return false
  }

  #heard(event: IrcEvent): void {
    if (isText(event) && event.time !== undefined)
      this.#heardTs = Math.max(this.#heardTs ?? event.time, event.time)
  }

  #begin(joinedTs: number | undefined): void {
    const { client, clock } = this.#deps
    const heardTs = this.#heardTs
    this.#heardTs ??= joinedTs ?? clock.now()
    if (heardTs === undefined || !client.hasHistory || this.#held !== undefined) return
    this.#held = []
    this.#said.clear()
    void this.#fetchAll(Math.max(heardTs, clock.now() - MAX_AGE_MS)).finally(() => this.#release())
  }

  /** Page by page; an answer that tells nothing new, or none, is the last. */
  async #fetchAll(heardTs: number): Promise<void> {
    const { client, channel, onCut } = this.#deps
    const announced = Number(client.isupport?.tokens.get('CHATHISTORY') ?? PAGE_LINES)
    const limit = announced > 0 ? Math.min(PAGE_LINES, announced) : PAGE_LINES
    // One millisecond may hold two lines of which only the first was heard.
    let since: string | undefined = formatTime(heardTs - 1)
    for (let lines = 0; since !== undefined;) {
      if (lines >= MAX_LINES) return onCut(lines)
      this.#page = []
      const outcome = await client.requestHistory(channel, since, limit)
      if (outcome.kind !== 'accepted') return
      const page = this.#page
      for (const event of page) this.#tellMissed(event)
      lines += page.length
      const last = page.at(-1)
      const next = page.length < limit || last === undefined ? undefined : selectorBehind(last)
      since = next === since ? undefined : next
    }
  }

  #tellMissed(event: TextEvent): void {
    this.#heard(event)
    if (event.from.nick === HISTORY_SERVICE) return
    const at = this.#doubtful.indexOf(event.text)
    if (at !== -1 && !this.#deps.isOther(event.from.nick)) {
      this.#doubtful.splice(at, 1)
      this.#said.set(event.text, event.msgid ?? '')
    } else this.#deps.tell(event, true)
  }

  #release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    this.#page = []
    for (const event of held) {
      this.#heard(event)
      this.#deps.tell(event, false)
    }
  }
}
