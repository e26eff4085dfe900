import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { forgetOutboundToDevice, listOverfullServers } from '@causeway/store/tables/outbound-transactions.ts'
import type { Chore } from '../../ops/housekeeping.ts'
import type { Logger } from '../../ops/log.ts'

const HOUR_MS = 3_600_000
/** A server that has answered nothing for so long is most likely gone; its devices ask for keys anew if it is not. */
const AWAY_MS = 30 * 24 * HOUR_MS
/** Of one server; what is beyond is the oldest. */
const MAX_MESSAGES = 100_000
const PORTION = 5_000

/**
 * Bounds what waits for devices of servers that cannot be reached: events are told by a number a room, but each message
 * to a device is kept whole. The transaction under way stays as it is.
 */
export function forgetUnsentMessages({
  db,
  clock,
  logger,
}: {
  readonly db: Database
  readonly clock: Clock
  readonly logger: Logger
}): Chore {
  return {
    name: 'forget messages to devices of servers that are gone',
    everyMs: HOUR_MS,
    run: async () => {
      for (const server of await listOverfullServers(db, clock.now() - AWAY_MS, MAX_MESSAGES)) {
        const excess = server.isAway ? server.count : server.count - MAX_MESSAGES
        for (let left = excess; left > 0; left -= PORTION) {
          const step = forgetOutboundToDevice({ ...server, count: Math.min(left, PORTION) })
          await db.commit({ entries: [], steps: [step] })
          await clock.sleep(50)
        }
        logger.warn('messages to the devices of a server that cannot be reached were given up', {
          destination: server.serverName,
          count: excess,
        })
      }
    },
  }
}
