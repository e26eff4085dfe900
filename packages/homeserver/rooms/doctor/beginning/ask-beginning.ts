import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { isOutage } from '../../peers/is-outage.ts'
import { fetchStateAfter, fetchStateBefore, type Inquiry } from '../../receive/fetch-missing.ts'
import type { RoomInfo } from '../../stored-event.ts'
import { withPatience, type DoctorDeps } from '../with-patience.ts'
import type { RoomBeginning } from './find-beginning.ts'

/** The state before our join as a server tells it. Its word only. */
export interface ToldBeginning {
  readonly server: ServerName
  /** Why it gave no answer. */
  readonly failure: string | undefined
  /** In the order in which it tells them; of two for one key the later counts. */
  readonly ids: readonly EventId[]
}

/**
 * Asks servers one after the other, so that what the first one gives need not be sent again. What verifies of it is held
 * afterwards for reference, beside the graph, as the events of any told state are: that changes nothing in the room, and
 * whoever asks again after a crash has it. Never rejects for what a server does.
 */
export async function askBeginnings(
  deps: DoctorDeps,
  room: RoomInfo,
  beginning: RoomBeginning,
  servers: readonly ServerName[],
): Promise<ToldBeginning[]> {
  const told: ToldBeginning[] = []
  for (const server of servers) {
    const answer = await withPatience(deps, server, (signal) =>
      askOne(deps, { room, server, signal }, beginning),
    )
    told.push(answer ?? { server, failure: `${server} took too long`, ids: [] })
    deps.logger.info('the state before our join was asked for', {
      ...{ room: room.roomId, server, servers_asked: told.length, of: servers.length },
      events: answer?.ids.length ?? 0,
    })
  }
  return told
}

async function askOne(deps: DoctorDeps, inquiry: Inquiry, beginning: RoomBeginning): Promise<ToldBeginning> {
  const { server, signal } = inquiry
  try {
    return { server, failure: undefined, ids: await askAtJoin(deps, inquiry, beginning) }
  } catch (error) {
    signal.throwIfAborted()
    return { server, failure: error instanceof Error ? error.message : String(error), ids: [] }
  }
}

/** Who never got our join is asked for the state after what it follows. */
async function askAtJoin(
  deps: DoctorDeps,
  inquiry: Inquiry,
  { join }: RoomBeginning,
): Promise<readonly EventId[]> {
  try {
    return await fetchStateBefore(deps, inquiry, join.eventId)
  } catch (error) {
    inquiry.signal.throwIfAborted()
    const [last, ...others] = join.prevEventIds
    if (isOutage(error) || last === undefined || others.length > 0) throw error
    return fetchStateAfter(deps, inquiry, last)
  }
}
