import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { ensureCrowd } from './crowd.ts'
import { measureIncoming, type IncomingFigures } from './incoming.ts'
import { measureJoin, type JoinFigures } from './join-crowd.ts'
import type { Kind } from './servers.ts'
import { formatTable, type Line } from './table.ts'

// `npm run bench:federation [-- options]`: what other servers send, and joining a large room, on our server beside a
// real Synapse in one run, each started and stopped in turn. Prints one table a workload; ratios are to the first kind.
//
//   --kinds synapse,causeway,causeway-postgres   which, in this order (the third is left out by default)
//   --workloads incoming,join
//   --reps 3            medians are of so many repetitions
//   --pdus 10000        sent to ours in a repetition; --synapse-pdus 500: to Synapse, which takes longer for one
//   --members 10000     of the large room, which is built once a kind and kept in
//   --cache FOLDER      (default .cache/bench-federation)

const { values } = parseArgs({
  options: {
    kinds: { type: 'string', default: 'synapse,causeway' },
    workloads: { type: 'string', default: 'incoming,join' },
    reps: { type: 'string', default: '3' },
    pdus: { type: 'string', default: '10000' },
    'synapse-pdus': { type: 'string', default: '500' },
    members: { type: 'string', default: '10000' },
    cache: { type: 'string', default: path.join(import.meta.dirname, '../../../.cache/bench-federation') },
  },
})

const INCOMING: readonly Line<IncomingFigures>[] = [
  { title: 'PDUs a second until readable', of: 'perSecond', digits: 1 },
  { title: 'CPU-s per 1,000 PDUs, database included', of: 'cpuPerThousand', digits: 2 },
  { title: 'peak RSS of the server (MB)', of: 'peakMegabytes', digits: 0 },
  { title: 'PDUs sent', of: 'pdus', digits: 0 },
]

const JOIN: readonly Line<JoinFigures>[] = [
  { title: 'join answered (ms)', of: 'joinedMs', digits: 0 },
  { title: 'room in the sync (ms)', of: 'syncedMs', digits: 0 },
  { title: 'readable: last messages read (ms)', of: 'readableMs', digits: 0 },
  { title: 'written in (ms)', of: 'writableMs', digits: 0 },
  { title: 'complete: all members listed (ms)', of: 'completeMs', digits: 0 },
  { title: 'CPU of the joining server until then (s)', of: 'joinerCpu', digits: 2 },
  { title: 'CPU of the resident server until then (s)', of: 'residentCpu', digits: 2 },
  { title: 'peak RSS of the joining server (MB)', of: 'joinerPeakMegabytes', digits: 0 },
]

const kinds = values.kinds.split(',') as Kind[]
/** The room is kept as a folder, which what PostgreSQL holds is not. */
const joinKinds = kinds.filter((kind) => kind !== 'causeway-postgres')
// Servers end with us, however we end.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

/** Every kind in turn, and that again and again, so that a busy minute of the machine does not fall on one alone. */
async function repeat<Figures>(
  workload: string,
  of: readonly Kind[],
  measure: (kind: Kind) => Promise<Figures>,
): Promise<Map<Kind, Figures[]>> {
  const results = new Map<Kind, Figures[]>(of.map((kind) => [kind, []]))
  for (let rep = 1; rep <= Number(values.reps); rep++) {
    for (const kind of of) {
      const figures = await measure(kind)
      results.get(kind)!.push(figures)
      console.error(`${workload} ${rep} ${kind} ${JSON.stringify(figures)}`)
    }
  }
  return results
}

if (values.workloads.includes('incoming')) {
  const results = await repeat('incoming', kinds, (kind) =>
    measureIncoming(kind, Number(kind === 'synapse' ? values['synapse-pdus'] : values.pdus)),
  )
  console.log(`${formatTable('incoming PDUs, one room', INCOMING, results)}\n`)
}
if (values.workloads.includes('join')) {
  const folders = new Map<Kind, string>()
  for (const kind of joinKinds) {
    folders.set(kind, await ensureCrowd(kind, Number(values.members), values.cache))
  }
  const work = await mkdtemp(path.join(tmpdir(), 'causeway-bench-'))
  const results = await repeat('join', joinKinds, (kind) => measureJoin(kind, folders.get(kind)!, work))
  await rm(work, { recursive: true, force: true })
  console.log(formatTable(`join of ${values.members} members`, JOIN, results))
}
