import type { AnyEndpoint } from '../http/endpoint.ts'
import { deactivateAccount } from './account-deactivate.ts'
import { changePassword } from './account-password.ts'
import {
  getAdminLockUser,
  getAdminSuspendUser,
  getWhoIs,
  setAdminLockUser,
  setAdminSuspendUser,
} from './account-moderation.ts'
import { getCapabilities } from './capabilities.ts'
import { deleteDevice, deleteDevices, getDevice, getDevices, updateDevice } from './devices.ts'
import { getLoginFlows, login } from './login.ts'
import { generateLoginToken } from './login-token.ts'
import { requestOpenIdToken } from './openid.ts'
import { getMutualRooms } from './mutual-rooms.ts'
import { logout, logoutAll } from './logout.ts'
import { deleteProfileField, getProfileField, getUserProfile, setProfileField } from './profile.ts'
import { refresh } from './refresh-token.ts'
import { checkUsernameAvailability, registrationTokenValidity } from './register-available.ts'
import { showRegistrationPage, submitRegistrationPage } from './register-page.ts'
import { register } from './register.ts'
import { getRegisterNonce, registerBySharedSecret } from './shared-secret-register.ts'
import { sendServerNotice, sendServerNoticeOnce } from './send-server-notice.ts'
import { unsubscribeRoutes } from './unsubscribe.ts'
import { getVersions } from './versions.ts'
import { showEmailPage, submitEmailPage } from './email-page.ts'
import { emailTokenRoutes } from './email-tokens.ts'
import { phoneTokenRoutes } from './phone-tokens.ts'
import {
  add3PID,
  bind3PID,
  delete3pidFromAccount,
  getAccount3PIDs,
  unbind3pidFromAccount,
} from './threepids.ts'
import { getRetentionConfiguration } from './retention-configuration.ts'
import { getRtcTransports } from './rtc-transports.ts'
import { getTurnServer } from './turn-server.ts'
import { getWellKnown } from './well-known-client.ts'
import { getWellKnownSupport } from './well-known-support.ts'
import { whoami } from './whoami.ts'

/** Accounts, logins, devices, profiles, and what a client asks first of all. */
export const accountRoutes: readonly AnyEndpoint[] = [
  getVersions,
  getCapabilities,
  getWellKnown,
  getWellKnownSupport,
  register,
  checkUsernameAvailability,
  registrationTokenValidity,
  getLoginFlows,
  login,
  generateLoginToken,
  logout,
  logoutAll,
  refresh,
  whoami,
  requestOpenIdToken,
  changePassword,
  deactivateAccount,
  getAccount3PIDs,
  add3PID,
  bind3PID,
  delete3pidFromAccount,
  unbind3pidFromAccount,
  ...emailTokenRoutes,
  ...phoneTokenRoutes,
  showEmailPage,
  submitEmailPage,
  ...unsubscribeRoutes,
  getDevices,
  getDevice,
  updateDevice,
  deleteDevice,
  deleteDevices,
  getUserProfile,
  getProfileField,
  setProfileField,
  deleteProfileField,
  getMutualRooms,
  getTurnServer,
  getRtcTransports,
  getRetentionConfiguration,
  getWhoIs,
  getAdminSuspendUser,
  setAdminSuspendUser,
  getAdminLockUser,
  setAdminLockUser,
  getRegisterNonce,
  registerBySharedSecret,
  sendServerNotice,
  sendServerNoticeOnce,
  showRegistrationPage,
  submitRegistrationPage,
]
