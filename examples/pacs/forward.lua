-- Orthanc sends each chest radiograph that it receives to the node, and none of the node's own results back.
function OnStoredInstance(instanceId, tags, metadata, origin)
  local fromNode = origin['RequestOrigin'] == 'DicomProtocol' and origin['RemoteAet'] == 'PNEUMOSCOPE'
  local modality = tags['Modality']
  if not fromNode and (modality == 'CR' or modality == 'DX') then
    SendToModality(instanceId, 'pneumoscope')
  end
end
