import { readdirSync, readFileSync } from 'node:fs'

/** `USER_HZ` of every Linux this runs on. */
const TICKS_PER_SECOND = 100

interface ProcessTimes {
  readonly parent: number
  /** Seconds, with those of children that ended. */
  readonly cpu: number
}

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; undefined when the process has ended. */
function readTimes(pid: number): ProcessTimes | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name stands in parentheses and may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0)
    return { parent: Number(fields[1]), cpu: ticks / TICKS_PER_SECOND }
  } catch {
    return undefined
  }
}

/** A process and all that descend from it. */
function treeOf(root: number): ProcessTimes[] {
  const children = new Map<number, number[]>()
  const times = new Map<number, ProcessTimes>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const found = Number.isInteger(pid) ? readTimes(pid) : undefined
    if (found === undefined) continue
    times.set(pid, found)
    children.set(found.parent, [...(children.get(found.parent) ?? []), pid])
  }
  const pids = [root]
  // It grows as it is walked.
  for (const pid of pids) pids.push(...(children.get(pid) ?? []))
  return pids.flatMap((pid) => times.get(pid) ?? [])
}

/** Processor time of processes with all their children, user and system, in seconds. */
export function cpuSeconds(roots: readonly number[]): number {
  return roots.flatMap(treeOf).reduce((sum, { cpu }) => sum + cpu, 0)
}

/** What a process holds of memory, at most until now and since the last `resetPeak`: MB. */
export function peakMegabytes(pid: number): number {
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found?.[1] ?? 0) / 1024
}
