import { Readable } from 'node:stream'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Discovery } from '@causeway/homeserver/federation/discovery/discovery.ts'
import {
  OutgoingTimeout,
  type Outgoing,
  type OutgoingAnswer,
  type OutgoingRequest,
} from '@causeway/homeserver/outgoing/outgoing.ts'
import type { Chance } from './chance.ts'
import type { Scheduler } from './scheduler.ts'

/** A request as its receiver sees it. */
export interface NetworkRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

export interface NetworkAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
}

/** Answers requests; undefined for nobody at home (crashed). Never resolves when it dies meanwhile. */
export type NetworkNode = (request: NetworkRequest) => Promise<NetworkAnswer> | undefined

/** How bad it is at present; all are probabilities but the delay. */
export interface Weather {
  /** Median one-way delay in milliseconds; each message draws its own, so that they overtake each other. */
  delayMs: number
  /** That a message (a request or an answer) is lost. */
  loss: number
  /** That a request arrives twice. */
  duplicates: number
}

export interface NetworkFigures {
  requests: number
  lost: number
  duplicated: number
  refused: number
  /** Took longer than a second. */
  delayed: number
  /** Arrived after another that was sent later the same way. */
  reordered: number
  /** Met a partition or a cut. */
  cutOff: number
  /** Of every path with its ids taken out. */
  readonly byKind: Map<string, number>
}

export interface SimulatedNetwork {
  readonly weather: Weather
  readonly figures: NetworkFigures
  connect(name: string, node: NetworkNode): void
  /** What a server sends with; `isAlive` is asked before anything reaches it again. */
  outgoingOf(name: string, clockRate: number, isAlive: () => boolean): Outgoing
  readonly discovery: Discovery
  /** Splits the servers into groups that do not reach each other. */
  partition(groups: readonly (readonly string[])[]): void
  /** One direction between two servers is cut. */
  cut(from: string, to: string): void
  /** No partition, no cut, fair weather. */
  heal(): void
}

const FAIR: Readonly<Weather> = { delayMs: 20, loss: 0, duplicates: 0 }

const EVENTS = /[$!@#][^/?]*|%24[^/?]*|%21[^/?]*|%40[^/?]*/g
const kindOf = (method: string, path: string): string =>
  `${method} ${path
    .split('?')[0]!
    .replace(EVENTS, '*')
    .replace(/\/send\/.*/, '/send/*')}`

/** A network between servers of which every message is a completion of the scheduler. */
export function createNetwork(scheduler: Scheduler, chance: Chance): SimulatedNetwork {
  const nodes = new Map<string, NetworkNode>()
  const cuts = new Set<string>()
  let groupOf = new Map<string, number>()
  const weather: Weather = { ...FAIR }
  const figures: NetworkFigures = {
    requests: 0,
    lost: 0,
    duplicated: 0,
    refused: 0,
    delayed: 0,
    reordered: 0,
    cutOff: 0,
    byKind: new Map(),
  }
  let sent = 0
  /** Of each way, the newest that arrived. */
  const newest = new Map<string, number>()

  const isCut = (from: string, to: string): boolean =>
    cuts.has(`${from} ${to}`) || groupOf.get(from) !== groupOf.get(to)
  /** A long tail: some messages take a hundred times the median. */
  const delay = (): number => {
    const ms = weather.delayMs * (0.2 + chance.fraction() * 1.6) ** 2 * (chance.happens(0.02) ? 50 : 1)
    if (ms > 1_000) figures.delayed++
    return ms
  }
  const arrives = (from: string, to: string): boolean => {
    if (isCut(from, to)) figures.cutOff++
    else if (chance.happens(weather.loss)) figures.lost++
    else return true
    return false
  }
  const noteArrival = (way: string, number: number): void => {
    const before = newest.get(way) ?? 0
    if (number < before) figures.reordered++
    else newest.set(way, number)
  }

  const carry = (
    from: string,
    to: string,
    request: OutgoingRequest,
    done: (answer: NetworkAnswer | Error) => void,
  ): void => {
    figures.requests++
    const kind = kindOf(request.method, request.path)
    figures.byKind.set(kind, (figures.byKind.get(kind) ?? 0) + 1)
    const body = request.body === undefined ? undefined : Buffer.from(request.body).toString()
    const label = `${from}>${to} ${request.method} ${request.path}`
    const number = ++sent
    const deliver = (isCopy: boolean): void => {
      if (!arrives(from, to)) return
      scheduler.at(scheduler.now() + delay(), `${label} ${body ?? ''}`, () => {
        noteArrival(`${from}>${to}`, number)
        const { method, path, headers } = request
        const answering = isCut(from, to) ? undefined : nodes.get(to)?.({ method, path, headers, body })
        if (answering === undefined) {
          if (!isCopy)
            scheduler.at(scheduler.now() + delay(), `${label} refused`, () => done(new Error('ECONNREFUSED')))
          figures.refused++
          return
        }
        void answering.then((answer) => {
          if (isCopy || !arrives(to, from)) return
          scheduler.at(scheduler.now() + delay(), `${label} ${answer.status}`, () => done(answer))
        })
      })
    }
    deliver(false)
    if (chance.happens(weather.duplicates)) {
      figures.duplicated++
      deliver(true)
    }
  }

  return {
    weather,
    figures,
    connect: (name, node) => {
      nodes.set(name, node)
      groupOf.set(name, 0)
    },
    outgoingOf: (name, rate, isAlive) => ({
      send: (request) =>
        new Promise<OutgoingAnswer>((resolve, reject) => {
          let isOpen = true
          const end = (settle: () => void): void => {
            if (!isOpen || !isAlive()) return
            isOpen = false
            timer.cancel()
            request.signal?.removeEventListener('abort', abort)
            settle()
          }
          const abort = (): void => end(() => reject(request.signal?.reason))
          const timer = scheduler.at(scheduler.now() + request.timeoutMs / rate, `${name} times out`, () =>
            end(() => reject(new OutgoingTimeout(`${request.host} did not answer in time`))),
          )
          if (request.signal?.aborted === true) return abort()
          request.signal?.addEventListener('abort', abort, { once: true })
          carry(name, request.host, request, (answer) =>
            end(() => {
              if (answer instanceof Error) reject(answer)
              else resolve({ ...answer, body: Readable.from([answer.bytes], { objectMode: false }) })
            }),
          )
        }),
      [Symbol.dispose]: () => undefined,
    }),
    discovery: {
      find: async (serverName: ServerName) => {
        const target = { host: serverName, port: 8448, hostHeader: serverName, tlsName: serverName }
        return { targets: [target], steps: [] }
      },
      forget: () => undefined,
    },
    partition(groups) {
      groups.forEach((group, index) => group.forEach((name) => groupOf.set(name, index)))
    },
    cut: (from, to) => void cuts.add(`${from} ${to}`),
    heal() {
      cuts.clear()
      groupOf = new Map([...groupOf].map(([name]) => [name, 0]))
      Object.assign(weather, FAIR)
    },
  }
}
