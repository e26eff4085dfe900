import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { verifySignature } from '@causeway/homeserver/crypto/verify.ts'
import { notHeld } from './acknowledged-events.ts'
import { createChance } from './chance.ts'
import {
  excesses,
  imageOf,
  keysOf,
  lostEvents,
  seenByClient,
  stateDifferences,
  unauthorizedEvents,
  waitingRows,
} from './invariants.ts'
import { createNetwork, type SimulatedNetwork } from './network.ts'
import { createClients } from './people.ts'
import { rememberSignatures } from './remembered-signatures.ts'
import { calmDown, misbehave, setUp, type Scene } from './scenario.ts'
import { createScheduler, type Scheduler } from './scheduler.ts'
import type { SimulatedServer, Work } from './simulated-server.ts'

/** What became of one seed. */
export interface SeedResult {
  readonly seed: string
  /** What did not hold; empty for a run that passed. */
  readonly broken: readonly string[]
  /** A hash over everything that happened, in order: the same for the same seed and the same program. */
  readonly trace: string
  readonly steps: number
  readonly requests: number
  readonly acknowledged: number
  /** How often each thing happened: to messages, and of what people, the hostile server and the scenario do. */
  readonly adversity: Readonly<Record<string, number>>
  /** Queries of all honest servers for each request that they answered. */
  readonly queriesPerAnswer: number
  /** Warnings and errors of servers, by server and text. */
  readonly logged: ReadonlyMap<string, number>
}

/** A run makes a few hundred requests; more than this is work without bound. */
const MAX_REQUESTS = 20_000
const MAX_PENDING = 5_000
/** Of one server: queries for each request that it answers, its clients' and its background work included. */
const MAX_QUERIES = 100
/** Of one room, after the end. */
const MAX_EXTREMITIES = 20

const memory = '/dev/shm'
const parent = existsSync(memory) ? memory : tmpdir()

function watchBounds(scheduler: Scheduler, scene: Scene, found: Set<string>): () => void {
  return () => {
    if (scheduler.steps() % 20 !== 0) return
    if (scheduler.pending() > MAX_PENDING) found.add(`more than ${MAX_PENDING} completions wait`)
    for (const server of scene.honest) for (const excess of excesses(server)) found.add(excess)
  }
}

async function judge(scene: Scene, givenUp: ReadonlySet<string>): Promise<string[]> {
  const { honest, evil, rooms, hostile, clients, residents, network } = scene
  const broken: string[] = []
  const findKey = keysOf([...honest, ...(evil === undefined ? [] : [evil])])
  const forbidden = hostile?.forbidden ?? new Map<never, string>()
  for (const roomId of rooms) {
    const verified = new Map()
    const images = []
    for (const server of honest) images.push(await imageOf(server, roomId))
    for (const [index, image] of images.entries()) {
      broken.push(...stateDifferences(images[0]!, image))
      broken.push(...lostEvents(image, clients.acknowledged))
      broken.push(...unauthorizedEvents(image, findKey, forbidden, verified))
      if (image.extremities > MAX_EXTREMITIES)
        broken.push(`${image.server}: ${image.extremities} forward extremities`)
      const { server, userId } = residents[index]!
      const seen = await seenByClient(clients, server, userId, roomId)
      for (const [id, why] of forbidden) {
        if (seen.timeline.has(id) || seen.state.has(id)) broken.push(`${userId} is shown ${id}: ${why}`)
      }
      for (const id of image.state.values())
        if (!seen.state.has(id)) broken.push(`${userId} is not told the state ${id}`)
      for (const { eventId, roomId: at, sender } of clients.acknowledged) {
        if (at === roomId && sender === userId && !seen.timeline.has(eventId)) {
          broken.push(`${userId} does not see ${eventId}, which it was told is there`)
        }
      }
    }
  }
  for (const server of honest) {
    const waiting = await waitingRows(server)
    if (waiting > 0) broken.push(`${server.name}: ${waiting} received events wait without end`)
    const { answers, queries } = server.work
    if (queries > MAX_QUERIES * answers)
      broken.push(`${server.name}: ${queries} queries for ${answers} requests, more than ${MAX_QUERIES} each`)
    for (const eventId of await notHeld(server.hs.rooms, [...server.taken])) {
      if (!givenUp.has(`${server.name} ${eventId}`))
        broken.push(`${server.name} acknowledged ${eventId} to another server, and lost it without a word`)
    }
  }
  if (clients.open() > 0) broken.push(`${clients.open()} requests of clients were never answered`)
  if (network.figures.requests > MAX_REQUESTS)
    broken.push(`${network.figures.requests} requests between servers`)
  return broken
}

/** Runs a whole federation from its beginning to its end. Never rejects: a fault of any kind is something broken. */
export async function runSeed(
  seed: string,
  options: { readonly verbose?: boolean } = {},
): Promise<SeedResult> {
  const chance = createChance(seed)
  const scheduler = createScheduler(chance.fork('order'))
  const network = createNetwork(scheduler, chance.fork('network'))
  const clients = createClients(scheduler)
  const folder = mkdtempSync(path.join(parent, 'causeway-simulation-'))
  const logged = new Map<string, number>()
  const broken = new Set<string>()
  const givenUp = new Set<string>()
  const onLog = (server: string, level: string, message: string, fields: unknown): void => {
    const { events = [] } = (fields ?? {}) as { events?: readonly string[] }
    if (message.startsWith('events were given up')) for (const id of events) givenUp.add(`${server} ${id}`)
    if (level !== 'info') logged.set(`${level}: ${message}`, (logged.get(`${level}: ${message}`) ?? 0) + 1)
    if (options.verbose === true) console.log(scheduler.now().toFixed(0), server, level, message, fields)
    // That a disk is full is told as an error, and is none of the program.
    if (level === 'error' && !describe(fields).includes('database or disk is full'))
      broken.add(`${server} reports a fault of its own: ${message} ${describe(fields)}`)
  }
  const onLack = (server: string, eventIds: readonly string[]): void => {
    for (const id of eventIds)
      broken.add(`${server} acknowledged ${id} to another server and holds it nowhere`)
  }
  let scene: Scene | undefined
  try {
    scene = await setUp(
      { seed, scheduler, network, folder, verify: rememberSignatures(verifySignature), onLog, onLack },
      clients,
      chance.fork('scenario'),
    )
    scheduler.onStep = watchBounds(scheduler, scene, broken)
    await misbehave(scene)
    await calmDown(scene)
    for (const fault of await judge(scene, givenUp)) broken.add(fault)
  } catch (error) {
    broken.add(`it broke off: ${error instanceof Error ? error.stack : String(error)}`)
  }
  scheduler.onStep = undefined
  for (const server of [...(scene?.honest ?? []), ...(scene?.evil === undefined ? [] : [scene.evil])])
    await server.crash()
  rmSync(folder, { recursive: true })
  return {
    seed,
    broken: [...broken],
    trace: scheduler.trace(),
    steps: scheduler.steps(),
    requests: network.figures.requests,
    acknowledged: clients.acknowledged.length,
    adversity: adversityOf(network, scene?.deeds),
    queriesPerAnswer: queriesPerAnswer(scene?.honest ?? []),
    logged,
  }
}

function adversityOf(
  { figures }: SimulatedNetwork,
  deeds: ReadonlyMap<string, number> | undefined,
): SeedResult['adversity'] {
  const { lost, duplicated, delayed, reordered, cutOff, refused } = figures
  return { lost, duplicated, delayed, reordered, cutOff, refused, ...Object.fromEntries(deeds ?? []) }
}

function queriesPerAnswer(servers: readonly SimulatedServer[]): number {
  const sum = (of: (work: Work) => number): number => servers.reduce((total, { work }) => total + of(work), 0)
  return (
    sum(({ queries }) => queries) /
    Math.max(
      1,
      sum(({ answers }) => answers),
    )
  )
}

function describe(fields: unknown): string {
  const { error } = (fields ?? {}) as { error?: unknown }
  return error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(fields)
}
