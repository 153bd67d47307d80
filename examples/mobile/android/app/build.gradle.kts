// Not built here: see ../../README.md.
plugins {
    id("com.android.application") version "8.7.3"
    id("org.jetbrains.kotlin.android") version "2.0.21"
}

android {
    namespace = "example.pneumoscope"
    compileSdk = 35
    defaultConfig {
        applicationId = "example.pneumoscope"
        minSdk = 28
        targetSdk = 35
        versionCode = 1
        versionName = "1"
    }
    androidResources { noCompress += "tflite" }
    kotlinOptions { jvmTarget = "17" }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

dependencies {
    implementation("androidx.activity:activity-ktx:1.9.3")
    implementation("com.google.ai.edge.litert:litert:1.4.0")
}
