import { confirm, type OperationTable } from './operation.ts'
import { SECRET } from './people.ts'
import { TEST_PASSWORD } from '../../packages/homeserver/test-server.ts'

const phone = { client_secret: 'abc', country: 'GB', phone_number: '07700900123', send_attempt: 1 }
const email = { client_secret: 'abc', email: `${SECRET}@example.org`, send_attempt: 1 }

/** Accounts, logins, profiles, and what administrators do. */
export const accountTable: OperationTable = {
  getVersions: { door: 'optional' },
  getCapabilities: { door: 'user', stranger: 'own' },
  getWellknown: { door: 'none' },
  getWellknownSupport: { door: 'none' },
  register: { door: 'none' },
  checkUsernameAvailability: { door: 'none' },
  registrationTokenValidity: { door: 'none' },
  getLoginFlows: { door: 'none' },
  login: { door: 'none' },
  // "Log in and create additional sessions".
  generateLoginToken: { door: 'user', ask: (_, by) => ({ body: confirm(by) }), suspended: 'may' },
  logout: { door: 'user', spends: 'account', suspended: 'may' },
  logout_all: { door: 'user', spends: 'account', suspended: 'may' },
  refresh: { door: 'none' },
  getTokenOwner: { door: 'user', stranger: 'own' },
  requestOpenIdToken: { door: 'user', stranger: '403 M_FORBIDDEN' },
  changePassword: {
    door: 'optional',
    // Without a session it takes a mail or a text message to them, and this server sends none.
    nobody: '401 M_MISSING_TOKEN',
    ask: (_, by) => ({ body: { ...confirm(by), new_password: TEST_PASSWORD } }),
    suspended: 'may',
    spends: 'part',
  },
  deactivateAccount: {
    door: 'user',
    differs: 'the specification lets a server take it without a token; ours confirms a session’s own account',
    ask: (_, by) => ({ body: confirm(by) }),
    suspended: 'may',
    spends: 'account',
  },
  getAccount3PIDs: { door: 'user', stranger: 'own' },
  // Without a changelog of addresses a suspended account is recommended not to change them.
  add3PID: {
    door: 'user',
    ask: (_, by) => ({ body: { ...confirm(by), sid: 'none', client_secret: 'abc' } }),
    owner: '400 M_THREEPID_AUTH_FAILED',
  },
  delete3pidFromAccount: {
    door: 'user',
    ask: () => ({ body: { medium: 'email', address: 'a@example.org' } }),
  },
  bind3PID: {
    door: 'user',
    ask: () => ({
      body: { client_secret: 'secret', id_server: 'id.example', id_access_token: 'token', sid: 'sid' },
    }),
    // The operator allows no identity server here.
    owner: '400 M_SERVER_NOT_TRUSTED',
    suspended: 'may not',
  },
  unbind3pidFromAccount: {
    door: 'user',
    ask: () => ({ body: { medium: 'email', address: 'alice@example.org' } }),
    suspended: 'may not',
  },
  requestTokenTo3PIDEmail: {
    door: 'optional',
    differs: 'the token says whose address it becomes; a wrong one is refused',
    ask: () => ({ body: email }),
    owner: '400 M_THREEPID_MEDIUM_NOT_SUPPORTED',
  },
  requestTokenToRegisterEmail: { door: 'none', ask: () => ({ body: email }) },
  requestTokenToResetPasswordEmail: { door: 'none', ask: () => ({ body: email }) },
  requestTokenTo3PIDMSISDN: {
    door: 'optional',
    differs: 'the token says whose number it becomes; a wrong one is refused',
    ask: () => ({ body: phone }),
    owner: '400 M_THREEPID_MEDIUM_NOT_SUPPORTED',
  },
  requestTokenToRegisterMSISDN: { door: 'none', ask: () => ({ body: phone }) },
  requestTokenToResetPasswordMSISDN: { door: 'none', ask: () => ({ body: phone }) },
  // What lets somebody in is the session's secret and the code of a text message.
  submitPhoneCode: { door: 'none' },
  showEmailPage: { door: 'none' },
  submitEmailPage: { door: 'none' },
  // What lets somebody in is the token of a mail: without it the answer is the same page for all.
  showUnsubscribePage: { door: 'none' },
  submitUnsubscribePage: { door: 'none' },
  showRegistrationPage: { door: 'none' },
  submitRegistrationPage: { door: 'none' },
  getUserProfile: { door: 'none' },
  getProfileField: { door: 'none' },
  setProfileField: {
    door: 'user',
    ask: () => ({ body: { displayname: 'somebody else' } }),
    stranger: '403 M_FORBIDDEN',
  },
  deleteProfileField: { door: 'user', stranger: '403 M_FORBIDDEN' },
  getMutualRooms: {
    door: 'user',
    ask: ({ userId }) => ({ query: `user_id=${encodeURIComponent(userId)}` }),
    owner: '400 M_INVALID_PARAM',
    stranger: 'own',
  },
  getRtcTransports: { door: 'user', stranger: 'own' },
  // Messages live for ever there.
  getRetentionConfiguration: { door: 'user', owner: '404 M_UNRECOGNIZED', stranger: '404 M_UNRECOGNIZED' },
  getTurnServer: { door: 'user', stranger: 'own' },
  getWhoIs: { door: 'user', stranger: '403 M_FORBIDDEN' },
  getAdminSuspendUser: { door: 'admin', stranger: '403 M_FORBIDDEN' },
  setAdminSuspendUser: {
    door: 'admin',
    ask: () => ({ body: { suspended: false } }),
    stranger: '403 M_FORBIDDEN',
  },
  getAdminLockUser: { door: 'admin', stranger: '403 M_FORBIDDEN' },
  setAdminLockUser: { door: 'admin', ask: () => ({ body: { locked: false } }), stranger: '403 M_FORBIDDEN' },
  getSharedSecretNonce: { door: 'none' },
  registerBySharedSecret: { door: 'none' },
  sendServerNotice: {
    door: 'admin',
    ask: ({ userId }) => ({ body: { user_id: userId, content: { msgtype: 'm.text', body: 'x' } } }),
    stranger: '403 M_FORBIDDEN',
  },
  sendServerNoticeOnce: {
    door: 'admin',
    ask: ({ userId }) => ({ body: { user_id: userId, content: { msgtype: 'm.text', body: 'x' } } }),
    stranger: '403 M_FORBIDDEN',
  },
  pingAppservice: { door: 'appservice', stranger: '403 M_FORBIDDEN' },
  updateAppserviceRoomDirectoryVisibility: {
    door: 'appservice',
    ask: () => ({ body: { visibility: 'private' } }),
    stranger: '403 M_FORBIDDEN',
  },
}
