import type { Homeserver } from '../homeserver.ts'
import { applyRetentionKind } from './apply-retention.ts'
import { collectStateKind } from './collect-state.ts'
import { eraseUserKind } from './erase-user.ts'
import { indexMediaKind } from './index-media.ts'
import { moveMediaKind } from './move-media.ts'
import { purgeHistoryKind } from './purge-history.ts'
import { purgeRoomKind } from './purge-room.ts'
import { redactRoomsKind } from './redact-rooms.ts'
import { redactUserKind } from './redact-user.ts'
import { createJobs, type JobDeps, type Jobs } from './runner.ts'
import { shutDownRoomKind } from './shut-down-room.ts'

/** Every kind of work that takes many writes. Nothing is done before the first `wake`. */
export function createHomeserverJobs(
  deps: JobDeps & Pick<Homeserver, 'rooms'>,
  whole: () => Homeserver,
): Jobs {
  const { rooms } = deps
  return createJobs(deps, [
    purgeRoomKind(rooms),
    eraseUserKind(whole),
    redactUserKind(rooms),
    redactRoomsKind(rooms),
    collectStateKind(rooms),
    shutDownRoomKind(whole),
    indexMediaKind(rooms),
    moveMediaKind(whole),
    purgeHistoryKind(rooms),
    applyRetentionKind(rooms),
  ])
}
