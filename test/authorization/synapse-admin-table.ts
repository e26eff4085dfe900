import type { Operation, OperationTable } from './operation.ts'

/** For administrators alone, who are given what they ask for. */
const admin = (more: Partial<Operation> = {}): Operation => ({
  door: 'admin',
  stranger: '403 M_FORBIDDEN',
  ...more,
})

/** Synapse's interface for administrators. */
export const synapseAdminTable: OperationTable = {
  synapseServerVersion: { door: 'none' },
  synapseListUsersV2: admin(),
  synapseListUsersV3: admin(),
  synapseGetUser: admin(),
  synapsePutUser: admin({ ask: () => ({ body: { locked: false } }) }),
  synapseWhois: admin(),
  synapseDeactivateUser: admin({ ask: () => ({ body: {} }), spends: 'account' }),
  synapseSuspendUser: admin({ ask: () => ({ body: { suspend: false } }) }),
  synapseResetPassword: admin({ ask: () => ({ body: { new_password: 'a new one' } }), spends: 'account' }),
  synapseGetUserAdmin: admin(),
  synapseSetUserAdmin: admin({ ask: () => ({ body: { admin: false } }) }),
  synapseListDevices: admin(),
  synapseCreateDevice: admin({ ask: () => ({ body: { device_id: 'NEW' } }) }),
  synapseGetDevice: admin(),
  synapseUpdateDevice: admin({ ask: () => ({ body: { display_name: 'Phone' } }) }),
  synapseDeleteDevice: admin({ spends: 'whole' }),
  synapseDeleteDevices: admin({ ask: () => ({ body: { devices: ['NEW'] } }), spends: 'part' }),
  synapseJoinedRooms: admin(),
  synapseMemberships: admin(),
  synapseAccountData: admin(),
  synapsePushers: admin(),
  synapseListUserMedia: admin(),
  synapseDeleteUserMedia: admin({ spends: 'whole' }),
  synapseLogInAsUser: admin({ ask: () => ({ body: {} }) }),
  synapseGetRateLimit: admin(),
  synapseSetRateLimit: admin({ ask: () => ({ body: { messages_per_second: 5, burst_count: 5 } }) }),
  synapseDeleteRateLimit: admin(),
  synapseUsernameAvailable: admin({ ask: () => ({ query: 'username=somebody.new' }) }),
  synapseUserByThreepid: admin({
    ask: () => ({ path: { medium: 'email', address: 'nobody@example.org' } }),
    owner: '404 M_NOT_FOUND',
  }),
  synapseRedactUser: admin({
    ask: ({ roomId }) => ({ body: { rooms: [roomId], limit: 1 } }),
    spends: 'whole',
  }),
  synapseRedactStatus: admin({ ask: () => ({ path: { redactId: 'none' } }), owner: '404 M_NOT_FOUND' }),
}
