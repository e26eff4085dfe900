import { createRemoteDevices, type RemoteDevicesDeps } from '../devices/remote/remote-devices.ts'
import { createRemoteAliases } from '../directory/remote-aliases.ts'
import type { Homeserver } from '../homeserver.ts'
import { createRemoteProfiles } from '../profile/remote-profiles.ts'
import { createEduTally } from './edus/edu-tally.ts'
import type { FederationClient } from './federation-client.ts'

type Deps = Omit<RemoteDevicesDeps, 'client'> & Pick<Homeserver, 'budget'>

/** What is known of people of other servers, and what these have sent. */
export function createRemoteParts(
  shared: Deps,
  client: FederationClient,
): Pick<Homeserver, 'remoteDevices' | 'remoteProfiles' | 'remoteAliases' | 'eduTally'> {
  const deps = { ...shared, client }
  return {
    remoteDevices: createRemoteDevices(deps),
    remoteProfiles: createRemoteProfiles(deps),
    remoteAliases: createRemoteAliases(deps),
    eduTally: createEduTally(),
  }
}
