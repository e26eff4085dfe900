import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { judgeAnew, type Judgement } from '../../judge/judge-anew.ts'
import type { RoomInfo } from '../../stored-event.ts'
import { chooseServers } from '../choose-servers.ts'
import type { DoctorDeps } from '../with-patience.ts'
import { askBeginnings, type ToldBeginning } from './ask-beginning.ts'
import { findBeginning, serversThenAndNow } from './find-beginning.ts'
import { settleBeginning, type BeginningDispute } from './settle-beginning.ts'

/** What was found of the state before our join, and what came of it. */
export interface BeginningFinding {
  readonly join: EventId
  readonly told: readonly ToldBeginning[]
  readonly disputes: readonly BeginningDispute[]
  /** What follows for the room, done or, where it was only looked at, to be done; undefined where nothing does. */
  readonly judgement: Judgement | undefined
  /** Why it could not be judged. */
  readonly obstacle: string | undefined
}

/**
 * Asks servers that were in the room before our join, and still are, what its state was then, and judges by what comes of
 * that everything since, in one write: nobody leaves, and until then and after a crash all is as it was. Resolves with
 * undefined where no state was told to us, in a room of our own.
 * @param dryRun nothing becomes of it but events that are held for reference
 */
export async function mendBeginning(
  deps: DoctorDeps,
  room: RoomInfo,
  named: readonly ServerName[],
  { dryRun }: { readonly dryRun: boolean },
): Promise<BeginningFinding | undefined> {
  const { engine } = deps
  const beginning = await findBeginning(engine, room)
  if (beginning === undefined) return undefined
  const present = await serversThenAndNow(engine, room, beginning)
  const servers = await chooseServers(engine, room, named, present)
  const told = await askBeginnings(deps, room, beginning, servers)
  const { disputes, states } = await settleBeginning(deps, room, beginning, told)
  const join = beginning.join.eventId
  const found = { join, told, disputes, judgement: undefined, obstacle: undefined }
  if (states === undefined) return found
  deps.logger.info('everything since our join is judged anew', { room: room.roomId, dry_run: dryRun })
  try {
    const doubts = { events: [], beginning: { eventId: join, states } }
    return { ...found, judgement: await judgeAnew(engine, room, doubts, { dryRun }) }
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error
    return { ...found, obstacle: error.message }
  }
}
