import assert from 'node:assert/strict'

/** What a trace of system calls shows about one kind of file. */
export interface SyncOrder {
  /** Acknowledgements seen. */
  acknowledgements: number
  /** Writes to the log file that came before the last of them. */
  writes: number
  syncs: number
}

const CALL = /^(?:\[pid +)?(\d+)?\]? *(?:\d+\.\d+ )?(\w+)\((.*)$/
const RESUMED = /^(?:\[pid +)?(\d+)?\]? *<\.\.\. (\w+) resumed>(.*)$/

/**
 * Reads the output of `strace -f -y` and checks that at every acknowledgement all that was written to the log
 * (`isLog` tells its files) had been synced: a completed fsync or fdatasync of the file after the last write.
 */
export function checkSyncOrder(
  trace: string,
  isLog: (path: string) => boolean,
  isAcknowledgement: (call: string, args: string) => boolean,
): SyncOrder {
  const seen: SyncOrder = { acknowledgements: 0, writes: 0, syncs: 0 }
  /** Log files written since their last sync. */
  const dirty = new Set<string>()
  /** Calls that another thread's interrupted, by thread. */
  const unfinished = new Map<string, { call: string; path: string; written: boolean }>()
  const finish = (call: string, path: string, ok: boolean): void => {
    if (!isLog(path) || !ok) return
    if (call === 'fsync' || call === 'fdatasync') {
      seen.syncs++
      dirty.delete(path)
    }
  }
  for (const line of trace.split('\n')) {
    const resumed = RESUMED.exec(line)
    if (resumed !== null) {
      const open = unfinished.get(resumed[1] ?? '')
      unfinished.delete(resumed[1] ?? '')
      if (open !== undefined) finish(open.call, open.path, /= 0\b/.test(resumed[3]!))
      continue
    }
    const [, pid = '', call, args] = CALL.exec(line) ?? []
    if (call === undefined || args === undefined) continue
    const path = /^\d+<([^>]*)>/.exec(args)?.[1] ?? ''
    if (isAcknowledgement(call, args)) {
      seen.acknowledgements++
      assert.deepEqual([...dirty], [], `written and not synced at the acknowledgement: ${line}`)
    }
    if (/^p?write(v|64|v2)?$/.test(call) && isLog(path)) {
      seen.writes++
      dirty.add(path)
    }
    if (line.includes('<unfinished ...>')) unfinished.set(pid, { call, path, written: false })
    else finish(call, path, /= 0\b/.test(args))
  }
  return seen
}
