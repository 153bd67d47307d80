// Not built here: see ../README.md. Add the Swift package https://github.com/pytorch/executorch (branch swiftpm-1.0.0 or later) with
// the products executorch, backend_xnnpack and kernels_optimized to an iOS app target that has these two files.
import PhotosUI
import SwiftUI

@main
struct PneumoscopeExampleApp: App {
    var body: some Scene { WindowGroup { ReadingView() } }
}

struct ReadingView: View {
    @State private var picked: PhotosPickerItem?
    @State private var text = "Research software, not a medical device."

    var body: some View {
        VStack(spacing: 16) {
            PhotosPicker("Choose a radiograph", selection: $picked, matching: .images)
            Text(text)
        }
        .padding()
        .onChange(of: picked) { _, item in Task { await show(item) } }
    }

    private func show(_ item: PhotosPickerItem?) async {
        do {
            guard let data = try await item?.loadTransferable(type: Data.self), let picture = UIImage(data: data)?.cgImage else { return }
            let answer = try Reader().read(picture)
            var lines = [String(format: "probability %.3f", answer.probability), answer.positive ? "positive" : "negative"]
            if answer.abstains { lines.append("the model abstains") }
            if !answer.inside { lines.append("the model may not be asked about this image") }
            text = lines.joined(separator: "\n")
        } catch {
            text = "The radiograph could not be read."
        }
    }
}
