import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Timer } from '@causeway/store/clock/clock.ts'
import { touchDevice } from '@causeway/store/tables/devices.ts'
import type { Homeserver } from '../homeserver.ts'

/** A device in use is noted this often; it is what people see as "last seen". */
export const SEEN_EVERY_MS = 60_000
/** Notes wait this long, so that those of many devices go into one write. */
const FLUSH_AFTER_MS = 5_000
/** Notes waiting at most. Those beyond are left out: the next use of the device is noted again. */
const MAX_WAITING = 10_000

interface Use {
  readonly userId: UserId
  readonly deviceId: DeviceId
  readonly ts: number
  readonly ip: string | undefined
}

/** When and from where devices were last used, written down in batches. */
export interface LastSeen extends AsyncDisposable {
  note(userId: UserId, deviceId: DeviceId, ip: string | undefined): void
  flush(): Promise<void>
}

type Deps = Pick<Homeserver, 'db' | 'clock' | 'logger'>

function toStep({ userId, deviceId, ts, ip }: Use) {
  if (ip !== undefined) return touchDevice(userId, deviceId, ts, ip)
  const sql = 'UPDATE devices SET last_seen_ts = ? WHERE user_id = ? AND device_id = ?'
  return { sql, params: [ts, userId, deviceId] }
}

export function createLastSeen({ db, clock, logger }: Deps): LastSeen {
  let waiting = new Map<string, Use>()
  let timer: Timer | undefined
  const flush = async (): Promise<void> => {
    timer?.cancel()
    timer = undefined
    if (waiting.size === 0) return
    const uses = [...waiting.values()]
    waiting = new Map()
    try {
      await db.commit({ entries: [], steps: uses.map(toStep) })
    } catch (error) {
      // Nobody waits for it, and the next use says more.
      logger.warn('the last use of devices was not noted', { error, devices: uses.length })
    }
  }
  return {
    note(userId, deviceId, ip) {
      const key = `${userId} ${deviceId}`
      if (waiting.size >= MAX_WAITING && !waiting.has(key)) return
      waiting.set(key, { userId, deviceId, ts: clock.now(), ip: ip ?? waiting.get(key)?.ip })
      timer ??= clock.setTimeout(() => void flush(), FLUSH_AFTER_MS, { unref: true })
    },
    flush,
    [Symbol.asyncDispose]: flush,
  }
}
