import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
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
import { createNetwork } from './network.ts'
import { createClients } from './people.ts'
import { calmDown, misbehave, setUp, type Scene } from './scenario.ts'
import { createScheduler, type Scheduler } from './scheduler.ts'

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
  readonly deeds: ReadonlyMap<string, number>
  /** Warnings and errors of servers, by server and text. */
  readonly logged: ReadonlyMap<string, number>
}

/** A run makes a few hundred requests; more than this is work without bound. */
const MAX_REQUESTS = 20_000
const MAX_PENDING = 5_000
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

async function judge(scene: Scene): Promise<string[]> {
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
  const onLog = (server: string, level: string, message: string, fields: unknown): void => {
    if (level !== 'info') logged.set(`${level}: ${message}`, (logged.get(`${level}: ${message}`) ?? 0) + 1)
    if (options.verbose === true) console.log(scheduler.now().toFixed(0), server, level, message, fields)
    if (level === 'error') broken.add(`${server} reports a fault of its own: ${message} ${describe(fields)}`)
  }
  let scene: Scene | undefined
  try {
    scene = await setUp({ seed, scheduler, network, folder, onLog }, clients, chance.fork('scenario'))
    scheduler.onStep = watchBounds(scheduler, scene, broken)
    await misbehave(scene)
    await calmDown(scene)
    for (const fault of await judge(scene)) broken.add(fault)
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
    deeds: scene?.deeds ?? new Map<string, number>(),
    logged,
  }
}

function describe(fields: unknown): string {
  const { error } = (fields ?? {}) as { error?: unknown }
  return error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(fields)
}
