import type { Clock } from '@causeway/store/clock/clock.ts'
import { tellRoom } from './hub-context.ts'
import type { HubLog, Trouble } from './hub-context.ts'
import type { MatrixPort } from './matrix-port.ts'

const GATHER_MS = 1_500
/** Rooms in trouble at the same time that are told one by one; of more, only the log tells. */
const MAX_PORTALS = 1_000

interface Gathered {
  readonly first: Trouble
  count: number
  last: Trouble
}

function sentence({ first, last, count }: Gathered): string {
  const fate = last.kind === 'uncertain' ? 'may not have reached' : 'did not reach'
  const what = count === 1 ? 'This message' : `${count} messages, this being the first,`
  return `⚠ ${what} ${fate} ${first.channel}: ${last.reason}.`
}

/** Tells people that messages did not get through: once for all that fail together, not once for each. */
export class TroubleReporter {
  readonly #deps: { port: MatrixPort; clock: Clock; log: HubLog; signal: AbortSignal }
  readonly #gathered = new Map<string, Gathered>()

  constructor(deps: { port: MatrixPort; clock: Clock; log: HubLog; signal: AbortSignal }) {
    this.#deps = deps
  }

  report(trouble: Trouble): void {
    const { clock, log, signal } = this.#deps
    const { portalNid, kind, reason, eventId } = trouble
    log.warn('a message did not get through', { portalNid, kind, reason, eventId })
    const key = `${portalNid} ${kind}`
    const gathered = this.#gathered.get(key)
    if (gathered !== undefined) {
      gathered.count++
      gathered.last = trouble
      return
    }
    if (this.#gathered.size >= MAX_PORTALS) return
    this.#gathered.set(key, { first: trouble, count: 1, last: trouble })
    clock.setTimeout(() => void (signal.aborted || this.#tell(key)), GATHER_MS, { unref: true })
  }

  async #tell(key: string): Promise<void> {
    const gathered = this.#gathered.get(key)
    this.#gathered.delete(key)
    if (gathered === undefined) return
    const { roomId, eventId, portalNid, kind } = gathered.first
    const txnId = `trouble-${kind}-${portalNid}-${eventId}`
    try {
      await tellRoom(this.#deps, roomId, sentence(gathered), txnId, eventId)
    } catch (error) {
      this.#deps.log.warn('people could not be told of a message that did not get through', { roomId, error })
    }
  }
}
