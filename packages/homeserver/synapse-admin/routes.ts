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
import { synapseUserByExternalId, synapseUserByThreepid, synapseUsernameAvailable } from './find-user.ts'
import { synapseScheduledTasks } from './jobs.ts'
import { synapseLargestRooms } from './largest-rooms.ts'
import { synapseListRooms } from './list-rooms.ts'
import { synapseListUsersV2, synapseListUsersV3 } from './list-users.ts'
import { synapseLogInAsUser } from './login-as-user.ts'
import { synapseFetchEvent, synapseRoomHierarchy, synapseTimestampToEvent } from './look-up-events.ts'
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
  synapseShadowBanUser,
  synapseSuspendUser,
  synapseUnshadowBanUser,
  synapseWhois,
} from './user-account.ts'
import { synapseJoinedRoomCount, synapseSentInvites } from './user-counts.ts'
import {
  synapseAccountData,
  synapseExperimentalFeatures,
  synapseJoinedRooms,
  synapseMemberships,
  synapsePushers,
} from './user-data.ts'
import {
  synapseCreateDevice,
  synapseDeleteDevice,
  synapseDeleteDevices,
  synapseGetDevice,
  synapseListDevices,
  synapseUpdateDevice,
} from './user-devices.ts'
import { synapseAllowKeyReplacement } from './user-keys.ts'
import { synapseDeleteUserMedia, synapseListUserMedia } from './user-media.ts'
import { synapseDeleteRateLimit, synapseGetRateLimit, synapseSetRateLimit } from './user-rate-limit.ts'
import { synapseDeleteUserReport, synapseGetUserReport, synapseListUserReports } from './user-reports.ts'

const userRoutes: readonly AnyEndpoint[] = [
  synapseListUsersV2,
  synapseListUsersV3,
  synapseGetUser,
  synapsePutUser,
  synapseWhois,
  synapseDeactivateUser,
  synapseSuspendUser,
  synapseShadowBanUser,
  synapseUnshadowBanUser,
  synapseAllowKeyReplacement,
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
  synapseSentInvites,
  synapseJoinedRoomCount,
  synapseAccountData,
  synapseExperimentalFeatures,
  synapsePushers,
  synapseListUserMedia,
  synapseDeleteUserMedia,
  synapseLogInAsUser,
  synapseGetRateLimit,
  synapseSetRateLimit,
  synapseDeleteRateLimit,
  synapseUsernameAvailable,
  synapseUserByThreepid,
  synapseUserByExternalId,
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
  synapseTimestampToEvent,
  synapseRoomHierarchy,
  synapseFetchEvent,
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
  synapseListUserReports,
  synapseGetUserReport,
  synapseDeleteUserReport,
  synapseDeleteMedia,
  synapseDeleteOldMedia,
  synapsePurgeMediaCache,
  synapseMediaStatistics,
  synapseLargestRooms,
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
