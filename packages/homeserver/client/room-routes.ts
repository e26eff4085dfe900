import type { AnyEndpoint } from '../http/endpoint.ts'
import { createRoom } from './create-room.ts'
import {
  cancelDelayedEvent,
  getOneDelayedEvent,
  listDelayedEvents,
  restartDelayedEvent,
  scheduleDelayedEvent,
  sendDelayedEvent,
  updateDelayedEvent,
} from './delayed-events.ts'
import { forgetRoom } from './forget-room.ts'
import { getEventContext, getOneRoomEvent } from './get-event.ts'
import { getJoinedMembersByRoom, getJoinedRooms, getMembersByRoom } from './get-members.ts'
import { getRoomEvents } from './get-messages.ts'
import {
  ban,
  inviteUser,
  joinRoom,
  joinRoomById,
  kick,
  knockRoom,
  leaveRoom,
  unban,
} from './membership-endpoints.ts'
import { peekEvents } from './peek-events.ts'
import { redactEvent } from './redact-event.ts'
import { reportEvent, reportRoom, reportUser } from './reports.ts'
import { roomInitialSync } from './room-initial-sync.ts'
import { getRoomState, getRoomStateWithKey } from './room-state-endpoints.ts'
import { getRoomSummary } from './room-summary.ts'
import { sendMessageEvent } from './send-message-event.ts'
import { setRoomStateWithKey } from './set-room-state.ts'
import { slidingSync } from './sliding-sync.ts'
import { sync } from './sync.ts'
import { getSpaceHierarchy } from './space-hierarchy.ts'
import { getEventByTimestamp } from './timestamp-to-event.ts'
import { upgradeRoom } from './upgrade-room.ts'

/** Rooms: making them, being in them, writing and reading. */
export const roomRoutes: readonly AnyEndpoint[] = [
  createRoom,
  joinRoom,
  joinRoomById,
  inviteUser,
  kick,
  ban,
  unban,
  leaveRoom,
  forgetRoom,
  knockRoom,
  getJoinedRooms,
  sendMessageEvent,
  redactEvent,
  setRoomStateWithKey,
  scheduleDelayedEvent,
  listDelayedEvents,
  getOneDelayedEvent,
  sendDelayedEvent,
  cancelDelayedEvent,
  restartDelayedEvent,
  updateDelayedEvent,
  getRoomState,
  getRoomStateWithKey,
  getMembersByRoom,
  getJoinedMembersByRoom,
  getRoomEvents,
  roomInitialSync,
  peekEvents,
  getOneRoomEvent,
  getEventContext,
  getEventByTimestamp,
  upgradeRoom,
  getSpaceHierarchy,
  getRoomSummary,
  reportEvent,
  reportRoom,
  reportUser,
  sync,
  slidingSync,
]
