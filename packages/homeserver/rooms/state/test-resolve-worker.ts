import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { systemClock } from '@causeway/store/clock/system.ts'
import { diffStates } from '@causeway/store/state/diff.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { findHead } from '../load-head.ts'
import { beginWrite } from '../room-write.ts'
import { openTestEngine } from '../test-engine.ts'
import { resolveRoots } from './resolve-roots.ts'

// Test support: a process that has just begun, in which two branches of a room meet. Answers with what that cost.

export interface ResolveCost {
  /** CPU of the thread that resolves, and of the whole process with its reader and its collector: milliseconds. */
  readonly cpuMs: number
  readonly allCpuMs: number
  readonly wallMs: number
  /** CPU of this thread in which nothing else had its turn, at most: milliseconds. */
  readonly heldMs: number
  /** Growth of the heap, with garbage at most, and of what is left of it afterwards: MB. */
  readonly peakHeapMb: number
  readonly leftHeapMb: number
  /** Growth of what the system gave the process: V8 takes more than it needs when there is much to do. */
  readonly peakRssMb: number
  /** How many keys the resolved state has in another way than each of the roots. */
  readonly differs: readonly number[]
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Looks up every few milliseconds: how much this thread did in between, and how much memory there is. */
class Watch {
  heldMs = 0
  heap = heapBytes()
  rss = process.memoryUsage.rss()
  #last = threadCpuMs()
  #ended = false

  look(): void {
    const now = threadCpuMs()
    this.heldMs = Math.max(this.heldMs, now - this.#last)
    this.heap = Math.max(this.heap, heapBytes())
    this.rss = Math.max(this.rss, process.memoryUsage.rss())
    this.#last = threadCpuMs()
    if (!this.#ended) systemClock.setTimeout(() => this.look(), LOOK_MS)
  }

  end(): void {
    this.#ended = true
  }
}

/** What objects and buffers take, garbage included. */
function heapBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

const LOOK_MS = 4

async function measure(file: string, roomId: RoomId, roots: readonly number[]): Promise<ResolveCost> {
  await using opened = await openTestEngine({ kind: 'sqlite', path: file }, 256 * 1024 * 1024)
  const { engine } = opened
  // The thread that reads much at once runs in every server that has been up for a while.
  await engine.db.queryLarge('SELECT 1 AS one', [])
  return await engine.queue.serial(roomId, async (): Promise<ResolveCost> => {
    const head = (await findHead(engine, roomId))!
    const write = beginWrite(head)
    collect()
    const before = { heap: heapBytes(), rss: process.memoryUsage.rss() }
    const watch = new Watch()
    watch.look()
    const began = { cpu: threadCpuMs(), all: process.cpuUsage(), wall: systemClock.monotonic() }
    const resolved = await resolveRoots(engine, write, roots)
    const wallMs = systemClock.monotonic() - began.wall
    const cpuMs = threadCpuMs() - began.cpu
    const { user, system } = process.cpuUsage(began.all)
    watch.end()
    collect()
    const left = heapBytes()
    const differs = await Promise.all(
      roots.map(async (root) => (await diffStates(head.nodes, head.roomNid, root, resolved)).length),
    )
    return {
      cpuMs: Math.round(cpuMs),
      allCpuMs: Math.round((user + system) / 1000),
      wallMs: Math.round(wallMs),
      heldMs: Math.round(watch.heldMs),
      peakHeapMb: megabytes(watch.heap - before.heap),
      leftHeapMb: megabytes(left - before.heap),
      peakRssMb: megabytes(watch.rss - before.rss),
      differs,
    }
  })
}

const megabytes = (bytes: number): number => Math.round(bytes / 1024 / 1024)

/** The first one finds its code not compiled yet; each finds nothing of the room in memory. */
const TIMES = 3

const [file, roomId, ...roots] = process.argv.slice(2)
const costs: ResolveCost[] = []
for (let time = 0; time < TIMES; time++) costs.push(await measure(file!, roomId as RoomId, roots.map(Number)))
console.log(JSON.stringify(costs))
