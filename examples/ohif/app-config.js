// Configuration of the OHIF viewer for the films that `pneumoscope serve` has open. Copy it over OHIF's own app-config.js.
//
// The token stands in the fragment of OHIF's address, as in http://127.0.0.1:3000/#token=…: a browser sends a fragment to no server
// and writes it into no Referer. From here it goes into the header Authorization of the requests to the service, and nowhere else.

/** Where `pneumoscope serve --port 8042 --allow-origin http://127.0.0.1:3000` answers. */
const dicomweb = 'http://127.0.0.1:8042/dicomweb';

const tokenName = 'pneumoscope-token';
const stated = new URLSearchParams(window.location.hash.slice(1)).get('token');
if (stated) {
  window.sessionStorage.setItem(tokenName, stated); // of this tab only; a reload finds it again
  window.history.replaceState(null, '', window.location.pathname + window.location.search);
}
const token = stated || window.sessionStorage.getItem(tokenName) || '';

/** Sends the token with every request of OHIF's data source and image loader. */
const pneumoscopeToken = {
  id: 'pneumoscope-token',
  preRegistration({ servicesManager }) {
    servicesManager.services.userAuthenticationService.setServiceImplementation({
      getAuthorizationHeader: () => ({ Authorization: `Bearer ${token}` }),
    });
  },
};

/**
 * Shows a radiograph under a Parametric Map as OHIF shows it alone. OHIF 3.13 puts both into a volume viewport, in which it forgets that
 * low values of a MONOCHROME1 image are white, prints letters of a plane that a radiograph does not have ("A" at the top), and now and
 * then leaves the map out until something else makes it draw again.
 */
const radiographUnderMap = {
  id: 'pneumoscope-radiograph-under-map',
  preRegistration() {
    const style = document.createElement('style');
    style.textContent = '[data-no-plane] .ViewportOrientationMarkers { display: none; }';
    document.head.append(style);
    document.addEventListener('CORNERSTONE_VOLUME_VIEWPORT_NEW_VOLUME', showAsAlone, true);
    document.addEventListener('CORNERSTONE_STACK_VIEWPORT_NEW_STACK', showAsAlone, true);
  },
};

/** Corrects the viewport that was given images. */
function showAsAlone({ target, detail }) {
  const { cache, getEnabledElementByViewportId, metaData } = window.cornerstone;
  const viewport = getEnabledElementByViewportId(detail.viewportId)?.viewport;
  const [volumeId] = viewport?.getAllVolumeIds?.() ?? [];
  const [imageId] = (volumeId && cache.getVolume(volumeId)?.imageIds) || [];
  const plane = imageId && metaData.get('imagePlaneModule', imageId);
  target.parentElement.toggleAttribute('data-no-plane', Boolean(plane?.isDefaultValueSetForRowCosine));
  if (!imageId) return;
  if (metaData.get('imagePixelModule', imageId)?.photometricInterpretation === 'MONOCHROME1') {
    viewport.setProperties({ invert: true }, volumeId);
  }
  target.addEventListener('CORNERSTONE_IMAGE_RENDERED', () => viewport.render(), { once: true });
}

window.config = {
  name: 'pneumoscope',
  routerBasename: null,
  extensions: [pneumoscopeToken, radiographUnderMap],
  modes: [],
  customizationService: {},
  showStudyList: true,
  maxNumberOfWebWorkers: 3,
  showLoadingIndicator: true,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: false,
  defaultDataSourceName: 'pneumoscope',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'pneumoscope',
      configuration: {
        friendlyName: 'Films that pneumoscope serve has open',
        name: 'pneumoscope',
        qidoRoot: dicomweb,
        wadoRoot: dicomweb,
        wadoUriRoot: dicomweb,
        qidoSupportsIncludeField: false,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        imageRendering: 'wadors',
        thumbnailRendering: 'thumbnail', // by the server, in the grey levels of the film
        thumbnailRequestStrategy: 'fetch', // with the token
        enableStudyLazyLoad: true,
        bulkDataURI: { enabled: true },
        omitQuotationForMultipartRequest: true,
      },
    },
  ],
};
