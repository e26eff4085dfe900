import type { AnyEndpoint } from '../http/endpoint.ts'
import {
  synapseGetRoomBlock,
  synapseJoinRoom,
  synapseMakeRoomAdmin,
  synapseSetRoomBlock,
} from './change-room.ts'
import {
  synapseDeleteRoom,
  synapseDeleteRoomNow,
  synapseDeleteStatus,
  synapseDeleteStatusOfRoom,
} from './delete-room.ts'
import {
  synapseDestinationRooms,
  synapseGetDestination,
  synapseListDestinations,
  synapseResetDestination,
} from './destinations.ts'
import { synapseDeleteEventReport, synapseGetEventReport, synapseListEventReports } from './event-reports.ts'
import { synapseUserByThreepid, synapseUsernameAvailable } from './find-user.ts'
import { synapseScheduledTasks } from './jobs.ts'
import { synapseListRooms } from './list-rooms.ts'
import { synapseListUsersV2, synapseListUsersV3 } from './list-users.ts'
import { synapseLogInAsUser } from './login-as-user.ts'
import {
  synapseDeleteMedia,
  synapseDeleteOldMedia,
  synapseGetMedia,
  synapseMediaStatistics,
  synapsePurgeMediaCache,
} from './media.ts'
import { synapsePutUser } from './modify-user.ts'
import { synapsePurgeHistory, synapsePurgeHistoryBefore, synapsePurgeHistoryStatus } from './purge-history.ts'
import {
  synapseListRoomMedia,
  synapseProtectMedia,
  synapseQuarantineMedia,
  synapseQuarantineRoomMedia,
  synapseQuarantineUserMedia,
  synapseUnprotectMedia,
  synapseUnquarantineMedia,
} from './quarantine.ts'
import { synapseRedactStatus, synapseRedactUser } from './redact-user.ts'
import {
  synapseCreateToken,
  synapseDeleteToken,
  synapseGetToken,
  synapseListTokens,
  synapseUpdateToken,
} from './registration-tokens.ts'
import { synapseServerVersion } from './server-version.ts'
import {
  synapseForwardExtremities,
  synapseGetRoom,
  synapseRoomContext,
  synapseRoomMembers,
  synapseRoomMessages,
  synapseRoomState,
} from './show-room.ts'
import {
  synapseDeactivateUser,
  synapseGetUser,
  synapseGetUserAdmin,
  synapseResetPassword,
  synapseSetUserAdmin,
  synapseSuspendUser,
  synapseWhois,
} from './user-account.ts'
import { synapseAccountData, synapseJoinedRooms, synapseMemberships, synapsePushers } from './user-data.ts'
import {
  synapseCreateDevice,
  synapseDeleteDevice,
  synapseDeleteDevices,
  synapseGetDevice,
  synapseListDevices,
  synapseUpdateDevice,
} from './user-devices.ts'
import { synapseDeleteUserMedia, synapseListUserMedia } from './user-media.ts'
import { synapseDeleteRateLimit, synapseGetRateLimit, synapseSetRateLimit } from './user-rate-limit.ts'

const userRoutes: readonly AnyEndpoint[] = [
  synapseListUsersV2,
  synapseListUsersV3,
  synapseGetUser,
  synapsePutUser,
  synapseWhois,
  synapseDeactivateUser,
  synapseSuspendUser,
  synapseResetPassword,
  synapseGetUserAdmin,
  synapseSetUserAdmin,
  synapseListDevices,
  synapseCreateDevice,
  synapseGetDevice,
  synapseUpdateDevice,
  synapseDeleteDevice,
  synapseDeleteDevices,
  synapseJoinedRooms,
  synapseMemberships,
  synapseAccountData,
  synapsePushers,
  synapseListUserMedia,
  synapseDeleteUserMedia,
  synapseLogInAsUser,
  synapseGetRateLimit,
  synapseSetRateLimit,
  synapseDeleteRateLimit,
  synapseUsernameAvailable,
  synapseUserByThreepid,
  synapseRedactUser,
  synapseRedactStatus,
]

const roomRoutes: readonly AnyEndpoint[] = [
  synapseListRooms,
  synapseGetRoom,
  synapseRoomMembers,
  synapseRoomState,
  synapseRoomMessages,
  synapseRoomContext,
  synapseForwardExtremities,
  synapseGetRoomBlock,
  synapseSetRoomBlock,
  synapseJoinRoom,
  synapseMakeRoomAdmin,
  synapseDeleteRoom,
  synapseDeleteRoomNow,
  synapseDeleteStatus,
  synapseDeleteStatusOfRoom,
  synapsePurgeHistory,
  synapsePurgeHistoryBefore,
  synapsePurgeHistoryStatus,
]

const serverRoutes: readonly AnyEndpoint[] = [
  synapseListTokens,
  synapseCreateToken,
  synapseGetToken,
  synapseUpdateToken,
  synapseDeleteToken,
  synapseListDestinations,
  synapseGetDestination,
  synapseDestinationRooms,
  synapseResetDestination,
  synapseListEventReports,
  synapseGetEventReport,
  synapseDeleteEventReport,
  synapseDeleteMedia,
  synapseDeleteOldMedia,
  synapsePurgeMediaCache,
  synapseMediaStatistics,
  synapseGetMedia,
  synapseQuarantineMedia,
  synapseUnquarantineMedia,
  synapseQuarantineRoomMedia,
  synapseQuarantineUserMedia,
  synapseListRoomMedia,
  synapseProtectMedia,
  synapseUnprotectMedia,
  synapseScheduledTasks,
]

/** Synapse's interface for administrators, as far as it is here. */
export const synapseAdminRoutes: readonly AnyEndpoint[] = [
  synapseServerVersion,
  ...userRoutes,
  ...roomRoutes,
  ...serverRoutes,
]
